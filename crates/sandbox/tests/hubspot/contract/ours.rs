//! Everything our own client can do, done against the portal, and every call of it written down.

use crate::hubspot::desk::Desk;
use axum::{
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use landbridge_hubspot::{
    ApiVersion, Client, Credentials, Secret, Settings, Share,
    associations::{Pair, TypedPair},
    records::{UpsertBody, UpsertColumns},
    schemas::NewProperty,
};
use landbridge_model::{
    HubSpotId, ObjectTypeId,
    hubspot::{AssociationLabel, PropertyOption},
};
use parking_lot::Mutex;
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};

/// A call as it arrived.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The names in the query.
    pub(crate) query: BTreeSet<String>,
    pub(crate) body: Vec<u8>,
}

type Book = Arc<Mutex<Vec<Seen>>>;

async fn write_down(State(book): State<Book>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("a whole body");
    let query = parts.uri.query().unwrap_or_default();
    book.lock().push(Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, _)| name.into_owned())
            .collect(),
        body: body.to_vec(),
    });
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// Calls everything once, signed in by OAuth first and then by a token; gives what arrived.
pub(crate) async fn drive(version: ApiVersion) -> Vec<Seen> {
    let _already = rustls::crypto::ring::default_provider().install_default();
    let (desk, book) = (Desk::new(), Book::default());
    let router = desk
        .portal
        .router()
        .layer(middleware::from_fn_with_state(book.clone(), write_down));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let url: url::Url = format!("http://{}", listener.local_addr().expect("an address"))
        .parse()
        .expect("a URL");
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let app = desk.portal.credentials();
    let oauth = Credentials::OAuth {
        client_id: app.client_id,
        client_secret: Secret::new(app.client_secret),
        refresh_token: Secret::new(app.refresh_token),
    };
    let client = |credentials| {
        let mut settings = Settings::new(url.clone(), credentials);
        settings.version = version.clone();
        Client::new(settings).expect("a client")
    };
    client(oauth).account().await.expect("an account");
    let client = client(Credentials::Token(Secret::new(app.token)));
    definitions(&client).await;
    let vehicles = ObjectTypeId::new(desk.vehicles.as_str());
    records(&client, &vehicles).await;
    links(&client, &desk, &vehicles).await;
    server.abort();
    std::mem::take(&mut *book.lock())
}

async fn definitions(client: &Client) {
    client.api_usage().await.expect("usage");
    client.object_type_limit().await.expect("a limit");
    client.owners().await.expect("owners");
    client
        .token_info()
        .await
        .expect("scopes")
        .expect("of a static token");
    client.schemas().await.expect("schemas");
    client
        .schema("companies")
        .await
        .expect("an answer")
        .expect("a type");
    let document = json!({
        "name": "trailer", "labels": { "singular": "Trailer", "plural": "Trailers" },
        "primaryDisplayProperty": "key", "requiredProperties": ["key"], "searchableProperties": ["key"],
        "secondaryDisplayProperties": [], "associatedObjects": [], "allowsSensitiveProperties": false,
        "properties": [{ "name": "key", "label": "Key", "type": "string", "fieldType": "text", "hasUniqueValue": true }],
    });
    let made = client.create_schema(&document).await.expect("a type");
    let trailers = made.object_type_id;
    let companies = ObjectTypeId::new("0-2");
    client
        .create_association(&trailers, &companies, "trailer_to_company")
        .await
        .expect("an association");
    client
        .create_group(&trailers, "extras", "Extras")
        .await
        .expect("a group");
    let property = |name: &str| NewProperty {
        name: name.to_owned(),
        label: name.to_owned(),
        kind: "string",
        field_type: "text",
        group_name: "extras".to_owned(),
        description: String::new(),
        has_unique_value: false,
        form_field: false,
    };
    client
        .create_properties(&trailers, &[property("one"), property("two")])
        .await
        .expect("properties");
    let document = json!({
        "name": "finish", "label": "Finish", "type": "enumeration", "fieldType": "select", "groupName": "extras",
        "options": [{ "label": "Matt", "value": "matt", "displayOrder": 0, "hidden": false }],
    });
    client
        .create_property(&trailers, &document)
        .await
        .expect("a property");
    let option = PropertyOption {
        label: "Gloss".to_owned(),
        value: "gloss".to_owned(),
    };
    client
        .set_options(&trailers, "finish", &[option])
        .await
        .expect("new options");
    client.properties(&trailers).await.expect("properties");
}

async fn records(client: &Client, vehicles: &ObjectTypeId) {
    let columns = UpsertColumns::new("key", ["note", "price"]);
    let mut body = UpsertBody::new(&columns, "t");
    body.push("a", [(0, Some("a note")), (1, Some("12.5"))]);
    body.push("b", [(0, None)]);
    client
        .upsert_records(Share::Bulk, vehicles, body.finish())
        .await
        .expect("an answer");
    let mut body = UpsertBody::new(&columns, "u");
    body.push("a", [(1, Some("13"))]);
    body.push("nobody", [(1, Some("13"))]);
    client
        .update_records(Share::Bulk, vehicles, body.finish())
        .await
        .expect("an answer");
    let share = Share::Live;
    client
        .list_records(share, vehicles, &["key"], None, false)
        .await
        .expect("a page");
    client
        .list_records(share, vehicles, &[], Some("1"), true)
        .await
        .expect("a page");
    client
        .read_records(share, vehicles, Some("key"), &["a"], &["note"])
        .await
        .expect("records");
    client
        .read_record(share, vehicles, Some("key"), "a", &["note"])
        .await
        .expect("a record");
    client
        .search_in(share, vehicles, "key", &["a", "b"], &["key"])
        .await
        .expect("records");
}

async fn links(client: &Client, desk: &Desk, vehicles: &ObjectTypeId) {
    let id = |text: String| HubSpotId(text.parse().expect("a number"));
    let (car, company) = (id(desk.vehicle("z")), id(desk.company("Acme")));
    let (share, companies) = (Share::Links, ObjectTypeId::new("0-2"));
    client
        .create_label(vehicles, &companies, "owner", "Owner")
        .await
        .expect("a label");
    let labels: Vec<AssociationLabel> = client.labels(share, vehicles, &companies).await.expect("labels");
    let types = labels.into_iter().map(|label| label.kind).collect();
    let pair = Pair {
        from: car,
        to: company,
    };
    let typed = TypedPair { pair, types };
    let typed = std::slice::from_ref(&typed);
    client
        .associate(share, vehicles, &companies, typed)
        .await
        .expect("a pair");
    client
        .associate_plainly(share, vehicles, &companies, &[pair])
        .await
        .expect("a pair");
    client
        .read_associations(share, vehicles, &companies, &[car])
        .await
        .expect("a pair");
    client
        .remove_types(share, vehicles, &companies, typed)
        .await
        .expect("no label");
    client
        .dissociate(share, vehicles, &companies, &[pair])
        .await
        .expect("no pair");
    client
        .archive_records(share, vehicles, &[car])
        .await
        .expect("an archive");
}
