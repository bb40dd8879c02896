//! The OpenAPI document: generated from the handlers, completed with what is the same everywhere.

use utoipa::PartialSchema as _;
use utoipa::ToSchema as _;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    Required, ResponseBuilder,
};

use super::idempotency::{HEADER, SECRET};
use super::problem::ProblemDocument;

/// What the API is, for whom reads the document.
const ABOUT: &str = "Everything that the console and the command line do. Names are in snake_case, but for definitions, \
which are as their files are. Times are milliseconds since 1970. Lists come in pages: pass `next` as `cursor` to go on. \
A POST with an `Idempotency-Key` can be sent again and is done once; what was refused is tried anew. Errors are problem documents (RFC 9457); programs \
look at their `type`. A tenant that you may not see is not there.";

/// What the routes are added to.
pub(super) fn base() -> OpenApi {
    let components = ComponentsBuilder::new()
        .schema(ProblemDocument::name(), ProblemDocument::schema())
        .schema(
            landbridge_model::Problem::name(),
            landbridge_model::Problem::schema(),
        )
        .security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("__Host-landbridge_session"))),
        );
    let license = LicenseBuilder::new()
        .name("Apache-2.0")
        .identifier(Some("Apache-2.0"))
        .build();
    let info = InfoBuilder::new()
        .title("Landbridge")
        .version("1")
        .description(Some(ABOUT))
        .license(Some(license));
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components.build()))
        .security(Some([
            SecurityRequirement::new("token", Vec::<String>::new()),
            SecurityRequirement::new("session", Vec::<String>::new()),
        ]))
        .build()
}

/// Adds what every route has: the parameters that its path names, and the problems that it answers with.
pub(super) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        if let Some(post) = item.post.as_mut().filter(|_| !SECRET.contains(&path.as_str())) {
            add_idempotency_key(post);
        }
        for operation in operations(item) {
            name_parameters(path, operation);
            add_problems(operation);
        }
    }
}

fn add_idempotency_key(operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    let key = ParameterBuilder::new()
        .name(HEADER)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Makes it harmless to send the request again: for a day the repetition gets the answer of the one that was \
             done. Of your own choice, for each request another one, 1 to 128 visible characters.",
        ))
        .schema(Some(String::schema()))
        .build();
    parameters.push(key.into());
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete]
        .into_iter()
        .flatten()
}

fn name_parameters(path: &str, operation: &mut Operation) {
    let names = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters = operation.parameters.get_or_insert_default();
    let named: Vec<Parameter> = names
        .map(|name| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .schema(Some(String::schema()))
                .build()
        })
        .collect();
    parameters.splice(0..0, named.into_iter().map(Into::into));
}

fn add_problems(operation: &mut Operation) {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ProblemDocument::name())))
        .build();
    let problem = ResponseBuilder::new()
        .description("It was not done, and why.")
        .content("application/problem+json", content)
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), RefOr::T(problem));
}

/// The document as it is served and checked in.
pub(super) fn to_json(document: &OpenApi) -> String {
    let mut text = document
        .to_pretty_json()
        .expect("a document is made of texts, lists and maps of texts");
    text.push('\n');
    text
}
