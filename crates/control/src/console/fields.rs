//! Names of the form fields that are the same on every page.

/// The token that proves that a form came from a page of ours.
pub const CSRF: &str = "csrf";
/// The ETag of the definition that a form edits: a stale one is refused rather than written over.
pub const ETAG: &str = "etag";
/// Which button was pressed, on forms with several.
pub const ACTION: &str = "action";
/// The page to come back to.
pub const RETURN: &str = "return";
/// What is searched for.
pub const QUERY: &str = "q";
