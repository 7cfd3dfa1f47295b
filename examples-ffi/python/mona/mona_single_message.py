"""The message, as in mona_sdk."""

from dataclasses import dataclass, fields
from typing import Optional, Union


@dataclass
class MonaSingleMessage:
    """One message: JSON-serializable fields (``message``) about one context of a context class.

    The order of the arguments is that of mona_sdk 0.0.51; ``sendTimestamp``, the newer name of ``exportTimestamp``, comes last.
    """

    message: dict
    contextClass: str
    contextId: Optional[str] = None
    exportTimestamp: Union[int, float, str, None] = None
    action: Optional[str] = None
    sampleConfigName: Optional[str] = None
    sendTimestamp: Union[int, float, str, None] = None

    def get_dict(self):
        return {field.name: getattr(self, field.name) for field in fields(self)}
