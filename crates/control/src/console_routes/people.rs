//! Users and API tokens: those that the visitor may manage, and their own.

use axum::http::{Extensions, HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use landbridge_model::{Problem, TenantId};

use super::form::Form;
use super::routes::Routes;
use super::summary::moment;
use super::visit::{Answer, Refusal, Visit, role_on_pages};
use crate::console::parts::who;
use crate::console::people::{Granted, NewToken, People, Token, TokenForm, User, UserForm, form_path, page};
use crate::console::{Place, paths};
use crate::http::address_of;
use crate::service::{CreateToken, Grant, PutUser, Reach, Role, ServiceError, TokenView, UserName, UserView};

pub(super) fn routes() -> Routes {
    Routes::default()
        .get(paths::PEOPLE, show)
        .post(&form_path("users"), add_user)
        .post(&form_path("grant"), grant)
        .post(&form_path("revoke"), revoke)
        .post(&form_path("remove"), remove)
        .post(&form_path("password"), set_password)
        .post(&form_path("own-password"), change_own_password)
        .post(&form_path("tokens"), make_token)
        .post(&form_path("tokens/revoke"), revoke_token)
}

/// The page as it stands, without anything entered.
async fn people(visit: &Visit) -> Result<People, Refusal> {
    let (service, caller) = (&visit.service, &visit.session.caller);
    let manages = caller.role_everywhere() == Some(Role::Admin);
    let refused = |error| visit.refuse(error);
    let users = if manages {
        let users = service.users(caller).await.map_err(refused)?;
        Some(users.iter().filter_map(|view| user(view, &caller.who)).collect())
    } else {
        None
    };
    let tokens = service.tokens(caller).await.map_err(refused)?;
    Ok(People {
        users,
        tokens: tokens.iter().filter_map(token).collect(),
        tenants: service
            .tenants(caller)
            .iter()
            .map(|tenant| tenant.id().clone())
            .collect(),
        has_all_tenants: caller.role_everywhere().is_some(),
        own_password: caller.who.strip_prefix("user:").map(str::to_owned),
        new_token: None,
        token_form: TokenForm::default(),
        token_days: token_days(visit),
        user_form: UserForm::default(),
        problems: Vec::new(),
    })
}

fn token_days(visit: &Visit) -> u32 {
    let longest = visit.service.longest_token(&visit.session.caller);
    u32::try_from(longest.as_secs() / (24 * 3_600)).unwrap_or(u32::MAX)
}

fn user(view: &UserView, visitor: &str) -> Option<User> {
    let name = view.name.as_str();
    Some(User {
        name: name.to_owned(),
        roles: granted(&view.grants),
        since: moment(view.created_ms)?,
        is_self: visitor.strip_prefix("user:") == Some(name),
    })
}

fn token(view: &TokenView) -> Option<Token> {
    Some(Token {
        id: view.id.clone(),
        name: view.name.clone(),
        roles: granted(&view.grants),
        by: who(&view.owner).0,
        since: moment(view.created_ms)?,
        expires: moment(view.expires_ms)?,
    })
}

/// Grants one by one, as the page lists them.
fn granted(grants: &[Grant]) -> Vec<Granted> {
    let of = |grant: &Grant| -> Vec<Granted> {
        let role = role_on_pages(grant.role);
        match &grant.reach {
            Reach::All => vec![(None, role)],
            Reach::Tenants(tenants) => tenants
                .iter()
                .map(|tenant| (Some(tenant.clone()), role))
                .collect(),
        }
    };
    grants.iter().flat_map(of).collect()
}

/// A role and a place as a form sends them; an empty tenant is all of them.
fn grant_of(role: Option<&str>, tenant: Option<&str>) -> Result<Grant, ServiceError> {
    let role: Role = role.unwrap_or_default().parse().map_err(ServiceError::invalid)?;
    match tenant {
        None => Ok(Grant::everywhere(role)),
        Some(tenant) => {
            let id = TenantId::new(tenant).map_err(|error| ServiceError::invalid(error.to_string()))?;
            Ok(Grant::of(role, id))
        }
    }
}

/// The grants without one of them.
fn without(grants: &[Grant], gone: &Grant) -> Vec<Grant> {
    let keep = |grant: &Grant| -> Option<Grant> {
        if grant.role != gone.role {
            return Some(grant.clone());
        }
        match (&grant.reach, &gone.reach) {
            (Reach::All, Reach::All) => None,
            (Reach::Tenants(have), Reach::Tenants(gone)) => {
                let left: Vec<TenantId> = have
                    .iter()
                    .filter(|tenant| !gone.contains(tenant))
                    .cloned()
                    .collect();
                let reach = Reach::Tenants(left);
                (reach != Reach::Tenants(Vec::new())).then_some(Grant {
                    reach,
                    ..grant.clone()
                })
            }
            _ => Some(grant.clone()),
        }
    };
    grants.iter().filter_map(keep).collect()
}

async fn show(visit: Visit) -> Answer {
    let view = people(&visit).await?;
    Ok(visit.page(page(&visit.shell_at(Place::People), &Ok(view))))
}

/// The page again, with what is wrong in it.
fn again(visit: &Visit, view: People) -> Answer {
    let page = page(&visit.shell_at(Place::People), &Ok(view));
    Ok(visit.page_with(StatusCode::UNPROCESSABLE_ENTITY, page))
}

async fn wrong(visit: &Visit, place: &str, error: ServiceError) -> Answer {
    let problem = visit.problem(place, error)?;
    let view = People {
        problems: vec![problem],
        ..people(visit).await?
    };
    again(visit, view)
}

/// Users are managed by an admin of all tenants: nobody else learns what is wrong with a form.
fn manages(visit: &Visit) -> Result<(), Refusal> {
    let may = visit
        .service
        .require_everywhere(&visit.session.caller, Role::Admin);
    may.map_err(|error| visit.refuse(error))
}

/// The user whom a form names, for whom may manage them.
fn named(visit: &Visit, form: &Form, field: &str) -> Result<UserName, Refusal> {
    manages(visit)?;
    let name = UserName::new(form.text(field).unwrap_or_default());
    name.map_err(|error| visit.refuse(error))
}

async fn add_user(visit: Visit, form: Form) -> Answer {
    manages(&visit)?;
    let text = |name| form.text(name).unwrap_or_default().to_owned();
    let entered = UserForm {
        name: text("user.name"),
        role: text("user.role"),
        tenant: text("user.tenant"),
    };
    let (place, error) = match new_user(&visit, &form).await {
        Ok(name) => {
            let told = format!("{name} is added, and can sign in with the password that you gave.");
            return Ok(visit.done(paths::PEOPLE, &told));
        }
        Err(refused) => refused,
    };
    let problem = visit.problem(place, error)?;
    let view = People {
        user_form: entered,
        problems: vec![problem],
        ..people(&visit).await?
    };
    again(&visit, view)
}

/// Adds the user of a form; on an error with the field that it belongs to.
async fn new_user(visit: &Visit, form: &Form) -> Result<UserName, (&'static str, ServiceError)> {
    let caller = &visit.session.caller;
    let name = UserName::new(form.text("user.name").unwrap_or_default());
    let name = name.map_err(|error| ("user.name", error))?;
    let grant = grant_of(form.text("user.role"), form.text("user.tenant"));
    let grant = grant.map_err(|error| ("user.role", error))?;
    match visit.service.user(caller, &name).await {
        Ok(_) => {
            let what = format!("there is a user {name} already");
            return Err(("user.name", ServiceError::invalid(what)));
        }
        Err(ServiceError::NotFound(_)) => {}
        Err(error) => return Err(("user.name", error)),
    }
    let wanted = PutUser {
        grants: vec![grant],
        password: Some(form.exactly("user.password").to_owned()),
    };
    let put = visit.service.put_user(caller, &name, wanted).await;
    put.map_err(|error| ("user.password", error))?;
    Ok(name)
}

/// Changes what a user may do.
async fn regrant(
    visit: &Visit,
    name: &UserName,
    change: impl FnOnce(Vec<Grant>) -> Vec<Grant>,
) -> Result<(), ServiceError> {
    let caller = &visit.session.caller;
    let user = visit.service.user(caller, name).await?;
    let wanted = PutUser {
        grants: change(user.grants),
        password: None,
    };
    visit.service.put_user(caller, name, wanted).await?;
    Ok(())
}

async fn grant(visit: Visit, form: Form) -> Answer {
    let name = named(&visit, &form, "grant.user")?;
    let given = match grant_of(form.text("grant.role"), form.text("grant.tenant")) {
        Ok(given) => given,
        Err(error) => return wrong(&visit, "grant.role", error).await,
    };
    let add = |mut grants: Vec<Grant>| {
        if !grants.contains(&given) {
            grants.push(given);
        }
        grants
    };
    match regrant(&visit, &name, add).await {
        Ok(()) => Ok(visit.done(paths::PEOPLE, &format!("{name} has the role from now on."))),
        Err(error) => visit.not_done(paths::PEOPLE, error),
    }
}

async fn revoke(visit: Visit, form: Form) -> Answer {
    let name = named(&visit, &form, "user")?;
    let gone = grant_of(form.text("role"), form.text("tenant")).map_err(|error| visit.refuse(error))?;
    match regrant(&visit, &name, |grants| without(&grants, &gone)).await {
        Ok(()) => Ok(visit.done(paths::PEOPLE, &format!("{name} has the role no more."))),
        Err(error) => visit.not_done(paths::PEOPLE, error),
    }
}

async fn remove(visit: Visit, form: Form) -> Answer {
    let name = named(&visit, &form, "user")?;
    match visit.service.remove_user(&visit.session.caller, &name).await {
        Ok(()) => {
            let told = format!("{name} is removed, with their sessions and tokens.");
            Ok(visit.done(paths::PEOPLE, &told))
        }
        Err(error) => visit.not_done(paths::PEOPLE, error),
    }
}

async fn set_password(visit: Visit, form: Form) -> Answer {
    let name = named(&visit, &form, "password.user")?;
    let caller = &visit.session.caller;
    let user = visit.service.user(caller, &name).await;
    let user = user.map_err(|error| visit.refuse(error))?;
    let wanted = PutUser {
        grants: user.grants,
        password: Some(form.exactly("password.new").to_owned()),
    };
    match visit.service.put_user(caller, &name, wanted).await {
        Ok(_) => {
            let told = format!("{name} has a new password. Their sessions are over.");
            Ok(visit.done(paths::PEOPLE, &told))
        }
        Err(error) => wrong(&visit, "password.new", error).await,
    }
}

async fn change_own_password(visit: Visit, extensions: Extensions, headers: HeaderMap, form: Form) -> Answer {
    let caller = &visit.session.caller;
    let name = caller.who.strip_prefix("user:").unwrap_or_default();
    let name = UserName::new(name).map_err(|_| {
        let what = "only who signs in with a password here can change it here".to_owned();
        visit.refuse(ServiceError::Forbidden(what))
    })?;
    let address = address_of(&extensions, &headers, visit.service.settings());
    let (old, new) = (form.exactly("own.old"), form.exactly("own.new"));
    let changed = visit
        .service
        .change_password(caller, &name, old, new, &address)
        .await;
    match changed {
        Ok(()) => Ok(visit.done(
            paths::SIGN_IN,
            "Your password is changed. Sign in with the new one.",
        )),
        Err(ServiceError::Unauthenticated(_)) => {
            let what = "that is not your password";
            let problem = Problem::new("own.old", what, "type the one that you sign in with");
            let view = People {
                problems: vec![problem],
                ..people(&visit).await?
            };
            again(&visit, view)
        }
        Err(error @ ServiceError::TooMany { .. }) => wrong(&visit, "own.old", error).await,
        Err(error) => wrong(&visit, "own.new", error).await,
    }
}

/// For how many days a token is good that shall end on a day, `longest` at most.
fn days_until(now: Timestamp, day: &str, longest: u32) -> Result<u32, Problem> {
    let cure = format!("choose one within the next {longest} days");
    let problem = |what: &str| Problem::new("token.expires", what, &cure);
    let day: Date = day.parse().map_err(|_| problem("that is no day"))?;
    let today = TimeZone::UTC.to_datetime(now).date();
    let days = today
        .until(day)
        .map_err(|_| problem("that is no day"))?
        .get_days();
    match u32::try_from(days) {
        Ok(days) if (1..=longest).contains(&days) => Ok(days),
        Ok(0) | Err(_) => Err(problem("the day is not in the future")),
        Ok(_) => Err(problem("the day is too far away")),
    }
}

/// A token is shown by the answer itself: no later page knows it.
async fn make_token(visit: Visit, form: Form) -> Answer {
    let text = |name| form.text(name).unwrap_or_default().to_owned();
    let entered = TokenForm {
        name: text("token.name"),
        role: text("token.role"),
        tenant: text("token.tenant"),
        expires: text("token.expires"),
    };
    let made = match days_until(visit.now(), &entered.expires, token_days(&visit)) {
        Ok(days) => {
            let grant = grant_of(form.text("token.role"), form.text("token.tenant"));
            match grant {
                Ok(grant) => {
                    let wanted = CreateToken {
                        name: entered.name.clone(),
                        grants: vec![grant],
                        days,
                    };
                    let made = visit.service.create_token(&visit.session.caller, wanted).await;
                    made.map_err(|error| ("token.name", error))
                }
                Err(error) => Err(("token.role", error)),
            }
        }
        Err(problem) => {
            let view = People {
                token_form: entered,
                problems: vec![problem],
                ..people(&visit).await?
            };
            return again(&visit, view);
        }
    };
    match made {
        Ok(created) => {
            let view = People {
                new_token: Some(NewToken {
                    name: created.view.name,
                    secret: created.token,
                }),
                ..people(&visit).await?
            };
            Ok(visit.page(page(&visit.shell_at(Place::People), &Ok(view))))
        }
        Err((place, error)) => {
            let problem = visit.problem(place, error)?;
            let view = People {
                token_form: entered,
                problems: vec![problem],
                ..people(&visit).await?
            };
            again(&visit, view)
        }
    }
}

async fn revoke_token(visit: Visit, form: Form) -> Answer {
    let id = form.text("id").unwrap_or_default();
    match visit.service.revoke_token(&visit.session.caller, id).await {
        Ok(()) => Ok(visit.done(
            paths::PEOPLE,
            "The token is revoked: it is good for nothing any more.",
        )),
        Err(error) => visit.not_done(paths::PEOPLE, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    #[test]
    fn a_token_ends_on_a_day_within_a_year() {
        let now: Timestamp = "2026-03-12T23:30:00Z".parse().unwrap();
        for (day, days) in [
            ("2026-03-13", Some(1)),
            ("2026-04-12", Some(31)),
            ("2027-03-13", Some(366)),
            ("2026-03-12", None),
            ("2026-01-01", None),
            ("2030-01-01", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(days_until(now, day, 366).ok(), days, "{day:?}");
        }
        assert!(days_until(now, "2026-04-11", 30).is_ok());
        assert!(days_until(now, "2026-04-12", 30).is_err());
    }

    #[test]
    fn one_grant_is_taken_away_and_no_other() {
        let both = Grant {
            role: Role::Editor,
            reach: Reach::Tenants(vec![tenant("acme"), tenant("globex")]),
        };
        let grants = vec![Grant::everywhere(Role::Viewer), both];
        assert_eq!(
            without(&grants, &Grant::of(Role::Editor, tenant("acme"))),
            [
                Grant::everywhere(Role::Viewer),
                Grant::of(Role::Editor, tenant("globex"))
            ]
        );
        assert_eq!(without(&grants, &Grant::everywhere(Role::Viewer)), grants[1..]);
        assert_eq!(without(&grants, &Grant::everywhere(Role::Editor)), grants);
        let last = vec![Grant::of(Role::Viewer, tenant("acme"))];
        assert_eq!(without(&last, &last[0]), []);
    }

    #[test]
    fn a_form_names_a_role_and_a_place() {
        assert_eq!(
            grant_of(Some("viewer"), None).unwrap(),
            Grant::everywhere(Role::Viewer)
        );
        assert_eq!(
            grant_of(Some("admin"), Some("acme")).unwrap(),
            Grant::of(Role::Admin, tenant("acme"))
        );
        for (role, place) in [
            (Some("king"), None),
            (None, None),
            (Some("viewer"), Some("No Name")),
        ] {
            assert!(grant_of(role, place).is_err(), "{role:?} {place:?}");
        }
    }
}
