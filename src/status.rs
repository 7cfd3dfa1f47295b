//! The numbers that C functions return: one table for the header, the names and the documentation.
#![forbid(unsafe_code)]

/// Which of a client's three raise settings a failure belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Authentication,
    Export,
    Service,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    Ok = 0,
    Failed = 1,
    Timeout = 2,
    InvalidArgument = -1,
    Initialization = -2,
    Authentication = -3,
    Export = -4,
    Service = -5,
    QueueFull = -6,
    Closed = -7,
    Internal = -8,
}

impl Status {
    pub const ALL: [Status; 11] = [
        Status::Ok,
        Status::Failed,
        Status::Timeout,
        Status::InvalidArgument,
        Status::Initialization,
        Status::Authentication,
        Status::Export,
        Status::Service,
        Status::QueueFull,
        Status::Closed,
        Status::Internal,
    ];

    /// What a failure of this family is called when it is raised.
    pub fn of(family: Family) -> Status {
        match family {
            Family::Authentication => Status::Authentication,
            Family::Export => Status::Export,
            Family::Service => Status::Service,
        }
    }

    pub fn from_code(code: i32) -> Option<Status> {
        Status::ALL
            .into_iter()
            .find(|status| *status as i32 == code)
    }

    /// The name of its constant in C, NUL-terminated.
    pub fn name(self) -> &'static std::ffi::CStr {
        match self {
            Status::Ok => c"MONA_OK",
            Status::Failed => c"MONA_FAILED",
            Status::Timeout => c"MONA_TIMEOUT",
            Status::InvalidArgument => c"MONA_ERROR_INVALID_ARGUMENT",
            Status::Initialization => c"MONA_ERROR_INITIALIZATION",
            Status::Authentication => c"MONA_ERROR_AUTHENTICATION",
            Status::Export => c"MONA_ERROR_EXPORT",
            Status::Service => c"MONA_ERROR_SERVICE",
            Status::QueueFull => c"MONA_ERROR_QUEUE_FULL",
            Status::Closed => c"MONA_ERROR_CLOSED",
            Status::Internal => c"MONA_ERROR_INTERNAL",
        }
    }
}
