//! Where HubSpot's documents contradict what is observed of HubSpot, and observation wins.
//!
//! Each entry says what was seen and how it is known. The test fails on a violation that no entry covers, and on an
//! entry that covers none.

use super::documents::Violation;
use std::collections::BTreeSet;

/// One known error of the documents.
#[derive(Debug)]
pub(crate) struct Exception {
    /// A part of the document's name; empty for any.
    document: &'static str,
    /// A part of the operation: method and path.
    operation: &'static str,
    /// A part of where in the body; empty for any.
    at: &'static str,
    /// A part of the problem.
    problem: &'static str,
    /// What was observed of HubSpot, and how.
    #[expect(dead_code, reason = "for the reader")]
    why: &'static str,
}

impl Exception {
    fn covers(&self, violation: &Violation) -> bool {
        violation.document.contains(self.document)
            && violation.operation.contains(self.operation)
            && violation.at.contains(self.at)
            && violation.problem.contains(self.problem)
    }
}

/// Short for an entry that holds for any document.
const fn anywhere(
    operation: &'static str,
    at: &'static str,
    problem: &'static str,
    why: &'static str,
) -> Exception {
    Exception {
        document: "",
        operation,
        at,
        problem,
        why,
    }
}

/// Of the sandbox's answers. The number is the section of the project's notes on HubSpot that the observation is in.
pub(crate) const ANSWERS: &[Exception] = &[
    // Errors.
    anywhere(
        "",
        "/status",
        "is not in the document",
        "3.1: every error object begins with `status`; documented and seen in every recorded error",
    ),
    anywhere(
        "",
        "/category",
        "is missing",
        "3.1: some errors have no category (unknown object types, bodies that cannot be read, nothing to update)",
    ),
    anywhere(
        "",
        "/errors/*/errors",
        "is missing",
        "3.1: recorded items often have only status, category, message and context",
    ),
    anywhere(
        "",
        "/errors/*/links",
        "is missing",
        "3.1: recorded items often have only status, category, message and context",
    ),
    anywhere(
        "",
        "/errors/*/subCategory",
        "a text is not of type",
        "3.1, A6, A7: recorded as text (crm.associations.INVALID_IDENTIFIER)",
    ),
    // Batches.
    Exception {
        document: "2026-09",
        operation: "/batch/",
        at: "",
        problem: "is a status that is not declared",
        why: "1.1, 12: whether 2026-09 still answers 207 is not established; it is a switch, and 207 the default",
    },
    Exception {
        document: "2026-09",
        operation: "/crm/objects/",
        at: "/warnings",
        problem: "is not in the document",
        why: "1.1: the changelog announces warnings for values that 2026-09 brings into shape",
    },
    // Records.
    anywhere(
        "",
        "/properties/*",
        "a null is not of type",
        "7.2, A8: recorded, what a read asks for and a record has not is an explicit null",
    ),
    // Associations.
    anywhere(
        "",
        "ObjectId",
        "a number is not of type",
        "8.3, A6: recorded, ids are numbers in answers about associations",
    ),
    Exception {
        document: "crm-associations-v4-50914",
        operation: "",
        at: "ObjectId",
        problem: "a number is greater than the maximum",
        why: "A6: recorded ids (211762804612) need more than the declared 32 bits",
    },
    anywhere(
        "",
        "/label",
        "a null is not of type",
        "8.1, 8.2: seen live, the plain association's label is a null",
    ),
    // Limits.
    Exception {
        document: "crm-limits-tracking",
        operation: "associations/records",
        at: "/objectId",
        problem: "a number is greater than the maximum",
        why: "A6: recorded ids (211762804612) need more than the declared 32 bits",
    },
    // Schemas.
    anywhere(
        "schemas",
        "/metaType",
        "is not in the document",
        "5.1, 8.2: recorded (PORTAL_SPECIFIC; HUBSPOT of standard types)",
    ),
    anywhere(
        "schemas",
        "/restorable",
        "is not in the document",
        "5.1: recorded with every schema",
    ),
    anywhere(
        "schemas",
        "/associations/*/cardinality",
        "is not in the document",
        "5.1: recorded with a schema's associations",
    ),
    anywhere(
        "schemas",
        "/associations/*/inverseCardinality",
        "is not in the document",
        "5.1: recorded with a schema's associations",
    ),
    anywhere(
        "schemas",
        "/associations/*/max",
        "is not in the document",
        "8.2: recorded, the ceilings of a pair in both directions",
    ),
    anywhere(
        "schemas",
        "/associations/*/hasUserEnforcedMax",
        "is not in the document",
        "8.2: recorded, whether a ceiling is the account's own",
    ),
    // The account.
    anywhere(
        "/owners",
        "/userId",
        "a null is not of type",
        "10: documented elsewhere, null for an archived owner",
    ),
    // Signing in.
    anywhere(
        "/token",
        "/error",
        "is not in the document",
        "2.2: the documented refusal of OAuth has error and error_description",
    ),
    anywhere(
        "/token",
        "/correlationId",
        "is missing",
        "2.2: the documented refusal of OAuth has none",
    ),
    anywhere(
        "/token/introspect",
        "",
        "{\"active\":false} is not valid under any",
        "2.2: `active` is there to say that a token is not; inferred from RFC 7662, 2.2, and from 2026-09, which \
         requires nothing else",
    ),
    anywhere(
        "/token/revoke",
        "",
        "is a status that is not declared",
        "the documents declare no answer but errors; RFC 7009, 2.2, says 200",
    ),
    Exception {
        document: "oauth-2026-09",
        operation: "/token",
        at: "",
        problem: "is a status that is not declared",
        why: "2.2: a success is 200; this version's document declares errors only",
    },
    Exception {
        document: "oauth-2026-09",
        operation: "/token/introspect",
        at: "",
        problem: "is not in the document",
        why: "2.2: the other versions' documents list what a live token is told with; this one stops at `active`",
    },
];

/// Of our client's calls.
pub(crate) const CALLS: &[Exception] = &[
    anywhere(
        "/search",
        "/after",
        "is missing",
        "7.9: a first page has nothing to come after, and the documentation's own examples leave it out",
    ),
    anywhere(
        "/search",
        "/sorts",
        "is missing",
        "A8: a recorded search has none",
    ),
];

/// Places that our client calls and no document knows.
pub(crate) const UNDOCUMENTED: &[&str] = &[
    // What a static token grants (2.1: seen live).
    "POST /oauth/v2/private-apps/get/access-token-info",
];

/// Fails on what no exception covers, and on exceptions that cover nothing.
pub(crate) fn judge(found: &BTreeSet<Violation>, exceptions: &[Exception]) {
    let covered = |violation: &&Violation| exceptions.iter().any(|one| one.covers(violation));
    let broken: Vec<String> = found
        .iter()
        .filter(|violation| !covered(violation))
        .map(Violation::to_string)
        .collect();
    assert!(
        broken.is_empty(),
        "{} violations:\n{}",
        broken.len(),
        broken.join("\n")
    );
    let idle: Vec<&Exception> = exceptions
        .iter()
        .filter(|one| !found.iter().any(|violation| one.covers(violation)))
        .collect();
    assert!(
        idle.is_empty(),
        "exceptions that are no longer needed:\n{idle:#?}"
    );
}
