"""People with an account: who they are, what they may do, what belongs to them. docs/accounts.md tells the whole of it."""
