//! What waits: for a person, in lanes, for a parent.

use landbridge_model::TenantId;
use maud::{Markup, html};

use super::{Backlog, HeldDeletes, ParkedLinks, SuspendedSync};
use crate::console::parts::{Icon, Table, ago, cell, count, duration, icon, number, one_or_many};
use crate::console::{Role, Shell, paths};

pub(super) fn suspended(shell: &Shell, tenant: &TenantId, syncs: &[SuspendedSync]) -> Markup {
    html! {
        @for sync in syncs {
            div.banner.stopped {
                (icon(Icon::Stopped))
                p { strong { a href=(paths::sync(tenant, &sync.name)) { (sync.name) } " is suspended. " } (sync.reason) @if let Some(since) = sync.since { " " span.quiet { "Since " (ago(shell.now, since)) "." } } }
                @if shell.may(Role::Operator) { div.actions { (shell.button(&paths::sync_part(tenant, &sync.name, "resume"), "Resume", "small", &[])) } }
            }
        }
    }
}

pub(super) fn held(shell: &Shell, tenant: &TenantId, held: &[HeldDeletes]) -> Markup {
    html! {
        @for deletes in held {
            div.banner.attention {
                (icon(Icon::Attention))
                div {
                    @if deletes.waiting > 0 {
                        p { strong { (one_or_many(deletes.waiting, "delete", "deletes")) " of " (deletes.sync) @if deletes.waiting == 1 { " waits" } @else { " wait" } " for your word. " } "This sync deletes at most " (deletes.limit) " without being told to." }
                    }
                    @if deletes.in_grace > 0 { p { (count(deletes.in_grace)) " deletes of " (deletes.sync) " are in their grace period and are written by themselves." } }
                    p.quiet {
                        "Since " (ago(shell.now, deletes.since)) ". "
                        @if !deletes.examples.is_empty() { "Among them: " @for (place, id) in deletes.examples.iter().enumerate() { @if place > 0 { ", " } a href=(paths::record(tenant, id)) { code { (id) } } } "." }
                    }
                    @if deletes.waiting > 0 && shell.may(Role::Operator) {
                        div.actions {
                            (shell.button(&paths::health_part(tenant, "held/approve"), &format!("Delete {} in HubSpot", count(deletes.waiting)), "small danger", &[("sync", deletes.sync.as_str())]))
                            (shell.button(&paths::health_part(tenant, "held/discard"), "Discard: keep the records", "small", &[("sync", deletes.sync.as_str())]))
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn backlog(lanes: &[Backlog]) -> Markup {
    let mut table = Table::new("Backlog by lane")
        .column("Lane")
        .column("Waits for the")
        .numbers("Messages");
    for lane in lanes {
        table.row(vec![
            lane.lane.as_str().into(),
            lane.stage.as_str().into(),
            number(lane.messages),
        ]);
    }
    html! {
        @if lanes.iter().all(|lane| lane.messages == 0) {
            section.card { h2 { "Backlog by lane" } p.quiet { "Nothing is on its way: every lane is empty." } }
        } @else { (table.show()) }
    }
}

pub(super) fn parked(tenant: &TenantId, groups: &[ParkedLinks]) -> Markup {
    if groups.is_empty() {
        return html! { section.card { h2 { "Links that wait" } p.quiet { "No link waits for its parent." } } };
    }
    let mut table = Table::new("Links that wait for a record")
        .column("Lookup")
        .column("Waits for")
        .numbers("Links")
        .column("Oldest");
    for group in groups {
        table.row(vec![
            cell(html! { code { (group.field) } br; span.quiet { (group.sync) } }),
            cell(html! { (group.parent) @if let Some(id) = &group.example { br; a href=(paths::record(tenant, id)) { code { (id) } } } }),
            number(group.links),
            duration(group.oldest).into(),
        ]);
    }
    table.show()
}
