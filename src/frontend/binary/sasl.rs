//! SASL: authentication before any other request.

use super::state::{BinaryFrontend, Progress};
use crate::auth::Passwords;
use crate::frontend::executor::Executor;
use crate::frontend::flow::Flow;
use crate::limits::{SASL_MECHANISM_BYTES_MAX, SASL_TOKEN_BYTES_MAX};
use crate::logs::clients;
use crate::protocol::binary::{Header, PacketError, Sasl, Status, reply, sasl};

impl BinaryFrontend {
    /// Listing the mechanisms resets the authentication.
    pub(super) fn sasl_list(
        &mut self,
        header: &Header,
        exec: &mut Executor<'_, '_>,
    ) -> Option<PacketError> {
        if exec.server.access().sasl.is_none() {
            return Some(PacketError::unknown(header));
        }
        self.turn_into(Progress::Unauthenticated);
        reply::value(&mut exec.out.bytes, header, sasl::MECHANISMS, 0);
        None
    }

    pub(super) fn sasl(
        &mut self,
        header: &Header,
        request: &Sasl<'_>,
        rest: &[u8],
        exec: &mut Executor<'_, '_>,
    ) -> (usize, Option<Flow>) {
        let Some(passwords) = &exec.server.access().sasl else {
            // Without passwords this is a command as unknown as any; clients then go on.
            return self.refuse_request(header, PacketError::unknown(header), exec);
        };
        let used = header.head_len();
        let len = request.token_len;
        if request.mechanism.len() > SASL_MECHANISM_BYTES_MAX {
            exec.error(header, Status::InvalidArguments);
            self.discard(len);
            return (used, None);
        }
        if len > SASL_TOKEN_BYTES_MAX {
            self.refuse(header, exec);
            self.discard(len);
            return (used, None);
        }
        let Some(token) = rest.get(..len) else {
            return (0, Some(Flow::NeedMore));
        };
        self.authenticate(header, request, token, passwords, exec);
        (used + len, None)
    }

    /// The last attempt decides: a failure ends an earlier authentication.
    fn authenticate(
        &mut self,
        header: &Header,
        request: &Sasl<'_>,
        token: &[u8],
        passwords: &Passwords,
        exec: &mut Executor<'_, '_>,
    ) {
        let may_try = if request.is_step {
            self.progress == Progress::Begun
        } else {
            sasl::is_known(request.mechanism)
        };
        if may_try && !request.is_step && token.is_empty() {
            self.turn_into(Progress::Begun);
            exec.error(header, Status::AuthContinue);
            return;
        }
        let plain = sasl::plain(token).filter(|_| may_try);
        if plain.is_some_and(|plain| passwords.admit(plain.user, plain.password)) {
            self.turn_into(Progress::Authenticated);
            exec.ctx.counters.auth_cmds.count();
            reply::value(&mut exec.out.bytes, header, b"Authenticated", 0);
        } else {
            self.refuse(header, exec);
        }
    }

    fn refuse(&mut self, header: &Header, exec: &mut Executor<'_, '_>) {
        clients::login_failed("SASL");
        self.turn_into(Progress::Unauthenticated);
        exec.ctx.counters.auth_cmds.count();
        exec.ctx.counters.auth_errors.count();
        exec.error(header, Status::AuthFailure);
    }

    fn turn_into(&mut self, progress: Progress) {
        self.progress = progress;
        self.state = self.at_rest();
    }
}
