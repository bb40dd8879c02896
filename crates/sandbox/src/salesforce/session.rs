//! The sessions that OAuth and SOAP logins open, and who they let in.

use crate::salesforce::{credentials::Letters, errors::ApiError, handle::OrgHandle, ids::RecordId};
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::atomic::Ordering};

/// One open session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Session {
    /// When it was opened, milliseconds.
    pub(super) opened: i64,
    /// When it was last used, milliseconds.
    used: i64,
    /// The refresh token that it came from: revoking that ends this.
    refresh_token: Option<String>,
}

/// The open sessions, by token.
#[derive(Debug)]
pub struct Sessions {
    open: HashMap<String, Session>,
    letters: Letters,
}

/// The open sessions as the org's state holds them.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedSessions {
    open: HashMap<String, Session>,
    letters: Letters,
}

impl Sessions {
    pub(super) fn save(&self) -> SavedSessions {
        SavedSessions {
            open: self.open.clone(),
            letters: self.letters.clone(),
        }
    }

    pub(super) fn load(&mut self, saved: SavedSessions) {
        (self.open, self.letters) = (saved.open, saved.letters);
    }

    pub(super) fn new(seed: u64) -> Sessions {
        Sessions {
            open: HashMap::new(),
            letters: Letters::new(seed ^ 0x70CE_2121),
        }
    }

    fn open(&mut self, org: RecordId, now_ms: i64, refresh_token: Option<&str>) -> String {
        let token = format!("{}!AR8AQ{}", org.short(), self.letters.take(91));
        let session = Session {
            opened: now_ms,
            used: now_ms,
            refresh_token: refresh_token.map(str::to_owned),
        };
        self.open.insert(token.clone(), session);
        token
    }

    /// A token's session, unless it was not used for `idle_ms`.
    fn find(&mut self, token: &str, now_ms: i64, idle_ms: i64) -> Option<&mut Session> {
        if self
            .open
            .get(token)
            .is_some_and(|session| now_ms - session.used > idle_ms)
        {
            self.open.remove(token);
        }
        self.open.get_mut(token)
    }

    /// Ends all sessions.
    pub(super) fn expire_all(&mut self) {
        self.open.clear();
    }

    /// Ends the sessions that came from a refresh token.
    pub(super) fn end_those_of(&mut self, refresh_token: &str) {
        self.open
            .retain(|_, session| session.refresh_token.as_deref() != Some(refresh_token));
    }
}

/// Opens a session for the one user; gives its token.
pub(super) fn open(handle: &OrgHandle, refresh_token: Option<&str>) -> String {
    let (org_id, _) = handle.identity();
    let now = handle.clock.now_ms();
    let token = handle.sessions.lock().open(org_id, now, refresh_token);
    handle.keep_doors();
    token
}

/// Whether a token's session is open; if so it stays open for longer.
pub(super) fn is_open(handle: &OrgHandle, token: &str) -> bool {
    let now = handle.clock.now_ms();
    let idle = handle.settings.session_ms.load(Ordering::Relaxed);
    match handle.sessions.lock().find(token, now, idle) {
        Some(session) => {
            session.used = now;
            true
        }
        None => false,
    }
}

/// A token's session as it stands; looking does not lengthen it.
pub(super) fn look(handle: &OrgHandle, token: &str) -> Option<Session> {
    let idle = handle.settings.session_ms.load(Ordering::Relaxed);
    let mut sessions = handle.sessions.lock();
    sessions.find(token, handle.clock.now_ms(), idle).cloned()
}

/// Ends a session; says whether there was one.
pub(super) fn close(handle: &OrgHandle, token: &str) -> bool {
    let was_open = handle.sessions.lock().open.remove(token).is_some();
    if was_open {
        handle.keep_doors();
    }
    was_open
}

/// The bearer token of a call, if its session is open.
pub(super) fn authenticate(handle: &OrgHandle, headers: &HeaderMap) -> Result<String, ApiError> {
    let header = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // OAuth is the header's older spelling.
    let token = header
        .strip_prefix("Bearer ")
        .or_else(|| header.strip_prefix("OAuth "))
        .unwrap_or_default();
    if is_open(handle, token.trim()) {
        return Ok(token.trim().to_owned());
    }
    handle.stats.refused("invalid_session");
    Err(ApiError::session())
}
