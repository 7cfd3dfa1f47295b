"""The exceptions, where mona_sdk has them."""

from .native import (
    MonaAuthenticationException,
    MonaClosedException,
    MonaException,
    MonaExportException,
    MonaInitializationException,
    MonaInternalException,
    MonaInvalidArgumentException,
    MonaQueueFullException,
    MonaServiceException,
)
