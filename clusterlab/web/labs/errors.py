"""What labs refuse."""

__all__ = ["LabError"]


class LabError(Exception):
    """A refused lab command: what is wrong and what would be right. `field` names the part of the body."""

    def __init__(self, message: str, field: str = "", code: str = "BadRequest", status: int = 400) -> None:
        super().__init__(message)
        self.field, self.code, self.status = field, code, status
