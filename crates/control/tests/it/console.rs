//! The console as a browser sees it: pages, forms, and where they lead.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use landbridge_control::console_routes;
use landbridge_control::service::Grant;
use tower::ServiceExt as _;

use crate::api::Api;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A page, or where a form led.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Shown {
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// Fails unless the page says all of this.
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.text.contains(word),
                "{word:?} is not on the page: {}",
                self.text
            );
        }
        self
    }

    /// Fails if the page says any of this.
    pub(crate) fn without(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                !self.text.contains(word),
                "{word:?} is on the page: {}",
                self.text
            );
        }
        self
    }

    pub(crate) fn leads_to(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text);
        self.headers[header::LOCATION].to_str().unwrap()
    }
}

/// Somebody at a browser.
pub(crate) struct Visitor {
    router: Router,
    session: String,
    notice: std::sync::Mutex<Option<String>>,
    csrf: String,
}

impl Visitor {
    /// A local user with these grants, who has signed in.
    pub(crate) async fn new(api: &Api, name: &str, grants: Vec<Grant>) -> Self {
        api.add_user(name, PASSWORD, grants).await;
        Self::sign_in(api, name, PASSWORD).await
    }

    /// Somebody who has not signed in.
    pub(crate) fn nobody(api: &Api) -> Self {
        Self {
            router: console_routes::router(api.service.clone()),
            session: String::new(),
            notice: std::sync::Mutex::default(),
            csrf: String::new(),
        }
    }

    pub(crate) async fn sign_in(api: &Api, name: &str, password: &str) -> Self {
        let signed_in = api.service.sign_in(name, password, "127.0.0.1").await.unwrap();
        Self {
            router: console_routes::router(api.service.clone()),
            session: format!("landbridge_session={}", signed_in.session),
            notice: std::sync::Mutex::default(),
            csrf: signed_in.csrf_token,
        }
    }

    async fn send(&self, method: Method, path: &str, body: String) -> Shown {
        let notice = self.notice.lock().unwrap().take();
        let cookies = notice.into_iter().chain([self.session.clone()]);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, cookies.collect::<Vec<_>>().join("; "))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            if pair.starts_with("landbridge_notice=") && !pair.ends_with('=') {
                *self.notice.lock().unwrap() = Some(pair.to_owned());
            }
        }
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Shown {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Shown {
        self.send(Method::GET, path, String::new()).await
    }

    /// Sends a form of a page of this session.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let csrf = self.csrf.clone();
        self.post_with(path, &csrf, fields).await
    }

    pub(crate) async fn post_with(&self, path: &str, csrf: &str, fields: &[(&str, &str)]) -> Shown {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", csrf);
        for (name, value) in fields {
            form.append_pair(name, value);
        }
        self.send(Method::POST, path, form.finish()).await
    }

    /// Sends a form and follows where it leads.
    pub(crate) async fn post_through(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let led = self.post(path, fields).await;
        let next = led.leads_to().to_owned();
        self.get(&next).await.expect(200)
    }
}
