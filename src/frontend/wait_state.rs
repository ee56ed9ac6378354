//! What a connection is doing or waits for, as `stats conns` shows it.

/// What a socket is doing, in memcached's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum WaitState {
    /// Accepts connections.
    Listening,
    /// Has been accepted, and nothing has come in.
    New,
    /// Waits for a request.
    Read,
    /// Requests are being carried out.
    Parse,
    /// Waits for the rest of a value.
    Value,
    /// Waits for the rest of data to be discarded.
    Swallow,
    /// Waits for the client to take its replies.
    Write,
    /// Is sent what happens, and reads no more requests.
    Watch,
}

impl WaitState {
    pub(crate) const ALL: [(Self, &'static str); 8] = [
        (Self::Listening, "conn_listening"),
        (Self::New, "conn_new_cmd"),
        (Self::Read, "conn_read"),
        (Self::Parse, "conn_parse_cmd"),
        (Self::Value, "conn_nread"),
        (Self::Swallow, "conn_swallow"),
        (Self::Write, "conn_mwrite"),
        (Self::Watch, "conn_watch"),
    ];
}
