"""Programs that the server runs for strangers, and the walls around them. Nothing here knows Django, so that the small process that
starts them (`spawner`) stays small."""
