"""Mona's client for Python, over libmona: what mona_sdk offers, by the same names."""

from .async_client import AsyncClient
from .client import Client
from .client_exceptions import (
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
from .logger import get_logger
from .mona_single_message import MonaSingleMessage
from .native import Document, Native

__all__ = [
    "AsyncClient",
    "Client",
    "Document",
    "MonaAuthenticationException",
    "MonaClosedException",
    "MonaException",
    "MonaExportException",
    "MonaInitializationException",
    "MonaInternalException",
    "MonaInvalidArgumentException",
    "MonaQueueFullException",
    "MonaServiceException",
    "MonaSingleMessage",
    "Native",
    "get_logger",
]
