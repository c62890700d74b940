//! The table of routes: what the server answers and what the OpenAPI document says are the same list.

use axum::Router;
use axum::http::Method;
use axum::middleware;
use axum::routing::MethodRouter;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{HttpMethod, RefOr, Required, ResponseBuilder};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::access::Access;
use super::error::ErrorBody;
use super::guard;

/// The name of the token in the document.
pub(super) const TOKEN: &str = "token";

/// A schema that is not derived from a type, with its name.
pub(super) type NamedSchema = (String, RefOr<Schema>);

/// A route with one method, whose handler works with an `S`.
pub(super) struct Endpoint<S = App> {
    /// What the document says.
    pub(super) described: Described,
    access: Access,
    /// Whether the database is asked for the answer: it has to be there then.
    asks_database: bool,
    handler: MethodRouter<S>,
}

/// A route as the document has it.
pub(super) struct Described {
    /// The method.
    pub(super) method: Method,
    /// The path, with parameters as `{name}`.
    pub(super) path: String,
    /// What is said of it.
    pub(super) operation: Operation,
    /// The schemas it refers to.
    pub(super) schemas: Vec<NamedSchema>,
}

impl<S> Endpoint<S> {
    /// A route: `handler` answers the method on the path.
    pub(super) fn new(
        (method, path): (Method, impl Into<String>),
        access: Access,
        handler: MethodRouter<S>,
        summary: &str,
    ) -> Self {
        let path = path.into();
        let mut operation = OperationBuilder::new()
            .summary(Some(summary))
            .operation_id(Some(operation_id(&method, &path)))
            .tag(path.split('/').rfind(|part| FAMILIES.contains(part)).unwrap_or("health"));
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            operation = operation.parameter(path_parameter(name));
        }
        if access != Access::Open {
            operation = operation.security(SecurityRequirement::new::<_, _, String>(TOKEN, []));
        }
        let operation = operation.build();
        let described = Described { method, path, operation, schemas: Vec::new() };
        Self { described, access, asks_database: access != Access::Open, handler }.failing()
    }

    /// The same without a question to the database: it is answered even where that is gone.
    pub(super) fn without_database(self) -> Self {
        Self { asks_database: false, ..self }
    }

    /// Adds to what the document says of it.
    fn say(&mut self, more: impl FnOnce(OperationBuilder) -> OperationBuilder) {
        let operation = &mut self.described.operation;
        *operation = more(std::mem::take(operation).into()).build();
    }

    /// Says more of it.
    pub(super) fn explained(mut self, description: &str) -> Self {
        self.say(|operation| operation.description(Some(description)));
        self
    }

    /// Takes these parameters behind the `?`.
    pub(super) fn with_query<Q: IntoParams>(mut self) -> Self {
        for parameter in Q::into_params(|| Some(ParameterIn::Query)) {
            self.say(|operation| operation.parameter(parameter));
        }
        self
    }

    /// Takes a header.
    pub(super) fn with_header(mut self, name: &str, description: &str) -> Self {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header);
        let parameter = parameter.description(Some(description)).schema(Some(text()));
        self.say(|operation| operation.parameter(parameter));
        self
    }

    /// Takes a body of this type.
    pub(super) fn with_body<B: ToSchema>(self, required: bool) -> Self {
        let (this, schema) = self.referring_to::<B>();
        this.with_body_of(schema, required)
    }

    /// Takes a body of this schema.
    pub(super) fn with_body_of(mut self, schema: RefOr<Schema>, required: bool) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let required = if required { Required::True } else { Required::False };
        let body = RequestBodyBuilder::new().content("application/json", content).required(Some(required));
        self.say(|operation| operation.request_body(Some(body.build())));
        self
    }

    /// Answers with a status and a body of this type.
    pub(super) fn answering<A: ToSchema>(self, status: u16, description: &str) -> Self {
        let (this, schema) = self.referring_to::<A>();
        this.answering_with(status, description, schema)
    }

    /// Answers with a status and a body of this schema.
    pub(super) fn answering_with(mut self, status: u16, description: &str, schema: RefOr<Schema>) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new().description(description).content("application/json", content);
        self.say(|operation| operation.response(status.to_string(), response));
        self
    }

    /// Answers with a status and plain text.
    pub(super) fn answering_text(mut self, status: u16, description: &str) -> Self {
        let content = ContentBuilder::new().schema(Some(text())).build();
        let response = ResponseBuilder::new().description(description).content("text/plain", content);
        self.say(|operation| operation.response(status.to_string(), response));
        self
    }

    /// Answers with a status and nothing else.
    pub(super) fn answering_nothing(mut self, status: u16, description: &str) -> Self {
        let response = ResponseBuilder::new().description(description);
        self.say(|operation| operation.response(status.to_string(), response));
        self
    }

    /// Answers with an error of that status when something is the case.
    pub(super) fn failing_with(self, status: u16, when: &str) -> Self {
        let (this, schema) = self.referring_to::<ErrorBody<'_>>();
        this.answering_with(status, when, schema)
    }

    /// Refers to the schema of a type.
    pub(super) fn with_schema_of<T: ToSchema>(self) -> Self {
        self.referring_to::<T>().0
    }

    /// Refers to a schema of that name.
    pub(super) fn with_schema(mut self, schema: NamedSchema) -> Self {
        self.described.schemas.push(schema);
        self
    }

    /// What every route may answer.
    fn failing(self) -> Self {
        let (mut this, schema) = self.referring_to::<ErrorBody<'_>>();
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response =
            ResponseBuilder::new().description("What went wrong").content("application/json", content);
        this.say(|operation| operation.response("default", response));
        this
    }

    /// Notes the schema of a type and all it refers to, and returns a reference to it.
    fn referring_to<T: ToSchema>(mut self) -> (Self, RefOr<Schema>) {
        let name = T::name().into_owned();
        T::schemas(&mut self.described.schemas);
        self.described.schemas.push((name.clone(), T::schema()));
        (self, reference(&name))
    }
}

/// Groups of the document, by a part of the path.
const FAMILIES: [&str; 10] = [
    "contacts",
    "companies",
    "deals",
    "objects",
    "pipelines",
    "sync",
    "conflicts",
    "webhooks",
    "health",
    "ws",
];

/// A reference to a schema.
pub(super) fn reference(name: &str) -> RefOr<Schema> {
    RefOr::Ref(utoipa::openapi::Ref::from_schema_name(name))
}

/// The schema of a text.
pub(super) fn text() -> RefOr<Schema> {
    RefOr::T(ObjectBuilder::new().schema_type(Type::String).build().into())
}

/// The schema of a list of objects of any content.
pub(super) fn list_of_objects() -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(Type::Object).build();
    RefOr::T(ArrayBuilder::new().items(object).build().into())
}

/// A name for a route that programs made from the document can use: `getApiContactsId`.
fn operation_id(method: &Method, path: &str) -> String {
    let capital = |part: &str| {
        let mut letters = part.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    };
    let parts = path.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    method.as_str().to_lowercase() + &parts.map(capital).collect::<String>()
}

/// A parameter of the path.
fn path_parameter(name: &str) -> Parameter {
    let description = match name {
        "type" => "A mirrored type: its name, type id or fully qualified name",
        "id" => "`id` of the row, or `hs-` and the id in HubSpot for records",
        _ => "A number",
    };
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
    parameter.description(Some(description)).required(Required::True).schema(Some(text())).build()
}

/// The method as the document knows it.
pub(super) fn http_method(method: &Method) -> HttpMethod {
    match method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

/// The routes, each behind the right it needs.
pub(super) fn router(app: &App, endpoints: Vec<Endpoint>) -> Router {
    let mut router = Router::new();
    for Endpoint { described, access, asks_database, handler } in endpoints {
        let entry = middleware::from_fn_with_state((app.clone(), access, asks_database), guard::enter);
        router = router.route(&described.path, handler.route_layer(entry));
    }
    router.with_state(app.clone())
}

/// The routes, with nothing in front of them: they let in whom they want, and bring their own limits.
pub(super) fn unguarded<S: Clone + Send + Sync + 'static>(endpoints: Vec<Endpoint<S>>) -> Router<S> {
    endpoints.into_iter().fold(Router::new(), |router, Endpoint { described, handler, .. }| {
        router.route(&described.path, handler)
    })
}
