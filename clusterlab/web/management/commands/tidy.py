"""`manage.py tidy`: deletes what is kept no longer, as the server does every hour by itself."""

from __future__ import annotations

import asyncio
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Delete what is kept no longer: labs, classes, sessions and lessons that nobody uses. The server does so every hour by itself."

    def handle(self, *args: Any, **options: Any) -> None:
        from clusterlab.web.scale import link
        from clusterlab.web.tidying import tidy

        async def work() -> dict[str, int]:
            try:
                return await tidy()
            finally:
                await link.close()

        for name, count in asyncio.run(work()).items():
            self.stdout.write(f"{name}: {count}")
