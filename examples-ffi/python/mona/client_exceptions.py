"""The exceptions of mona_sdk, and those that only libmona needs."""


class MonaException(Exception):
    """A call that failed: ``status`` (a negative number), ``kind`` (a stable word), ``retriable`` and the whole ``document``."""

    def __init__(self, status, document):
        super().__init__(document.get("error_message"))
        self.status = status
        self.document = document
        self.kind = document.get("error_kind")
        self.retriable = document.get("retriable")


class MonaInvalidArgumentException(MonaException, ValueError):
    """The caller's mistake: nothing was sent."""


class MonaInitializationException(MonaException):
    """The client cannot be made from this configuration."""


class MonaAuthenticationException(MonaException):
    """A login failed, and ``raise_authentication_exceptions`` is true."""


class MonaExportException(MonaException):
    """An export failed, and ``raise_export_exceptions`` is true."""


class MonaServiceException(MonaException):
    """A service failed, and ``raise_service_exceptions`` is true."""


class MonaQueueFullException(MonaException):
    """There is no room for these messages: none was accepted."""


class MonaClosedException(MonaException):
    """The client is closed."""


class MonaInternalException(MonaException):
    """A bug in libmona."""


BY_STATUS = {
    -1: MonaInvalidArgumentException,
    -2: MonaInitializationException,
    -3: MonaAuthenticationException,
    -4: MonaExportException,
    -5: MonaServiceException,
    -6: MonaQueueFullException,
    -7: MonaClosedException,
    -8: MonaInternalException,
}
