//! What a route takes and answers.

use axum::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::schema::{self, Schemas};
use crate::api::error::Kind;

/// Makes a schema.
type Make = fn(&mut SchemaGenerator) -> Schema;

/// What a route takes and answers, for people and for programs.
#[derive(Debug, Default)]
pub struct Operation {
    id: &'static str,
    summary: &'static str,
    description: Option<&'static str>,
    query: Option<Make>,
    body: Option<Body>,
    answers: Vec<Answer>,
    problems: Vec<Kind>,
}

#[derive(Debug)]
struct Body {
    schema: Make,
    examples: Value,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    description: &'static str,
    content: Option<Content>,
    links: Vec<Link>,
}

/// What to call next, with something of the answer.
#[derive(Clone, Copy, Debug)]
struct Link {
    operation: &'static str,
    id: &'static str,
}

#[derive(Debug)]
enum Content {
    Json { schema: Make, example: Value },
    Text { media_type: &'static str, example: &'static str },
}

impl Operation {
    /// Does what `summary` says.
    pub(super) fn new(id: &'static str, summary: &'static str) -> Self {
        Self { id, summary, ..Self::default() }
    }

    /// Says more about it.
    pub(super) fn about(self, description: &'static str) -> Self {
        Self { description: Some(description), ..self }
    }

    /// Takes these query parameters.
    pub(super) fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(SchemaGenerator::subschema_for::<T>), ..self }
    }

    /// Takes a body like these examples, each by its name.
    pub(super) fn body<T: JsonSchema>(self, examples: Value) -> Self {
        Self { body: Some(Body { schema: SchemaGenerator::subschema_for::<T>, examples }), ..self }
    }

    /// Answers in JSON, like this example.
    pub(super) fn answers<T: JsonSchema>(
        self,
        status: StatusCode,
        description: &'static str,
        example: Value,
    ) -> Self {
        let content = Content::Json { schema: SchemaGenerator::subschema_for::<T>, example };
        self.answer(Answer { status, description, content: Some(content), links: Vec::new() })
    }

    /// Answers in text, like this example.
    pub(super) fn answers_text(
        self,
        description: &'static str,
        media_type: &'static str,
        example: &'static str,
    ) -> Self {
        let content = Content::Text { media_type, example };
        self.answer(Answer { status: StatusCode::OK, description, content: Some(content), links: Vec::new() })
    }

    /// Answers nothing but that it is done.
    pub(super) fn answers_nothing(self, description: &'static str) -> Self {
        self.answer(Answer { status: StatusCode::NO_CONTENT, description, content: None, links: Vec::new() })
    }

    /// What it answered at this pointer is the id that another operation takes.
    pub(super) fn leads_to(mut self, operation: &'static str, id: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.links.push(Link { operation, id });
        }
        self
    }

    fn answer(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// May answer these problems beside those that every such route may.
    pub(super) fn fails(self, problems: &[Kind]) -> Self {
        Self { problems: problems.to_vec(), ..self }
    }

    /// Its name in programs.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        self.id
    }

    pub(super) const fn takes_body(&self) -> bool {
        self.body.is_some()
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = Kind> {
        self.problems.iter().copied()
    }

    /// Its query parameters, as the document has them.
    pub(super) fn parameters(&self) -> Vec<Value> {
        self.query.map(schema::parameters).unwrap_or_default()
    }

    /// The operation but for its parameters and problems, as the document has it.
    pub(super) fn render(&self, schemas: &mut Schemas) -> Value {
        let mut operation = json!({ "operationId": self.id, "summary": self.summary, "responses": {} });
        if let Some(description) = self.description {
            operation["description"] = description.into();
        }
        if let Some(Body { schema, examples }) = &self.body {
            let examples = examples.as_object().into_iter().flatten();
            let examples: Value =
                examples.map(|(name, value)| (name.clone(), json!({ "value": value }))).collect();
            let content = json!({ "schema": schemas.of_input(*schema), "examples": examples });
            operation["requestBody"] =
                json!({ "required": true, "content": { "application/json": content } });
        }
        for answer in &self.answers {
            operation["responses"][answer.status.as_str()] = answer.render(schemas);
        }
        operation
    }
}

impl Answer {
    fn render(&self, schemas: &mut Schemas) -> Value {
        let mut response = json!({ "description": self.description });
        match &self.content {
            None => {}
            Some(Content::Json { schema, example }) => {
                let content = json!({ "schema": schemas.of_output(*schema), "example": example });
                response["content"] = json!({ "application/json": content });
            }
            Some(Content::Text { media_type, example }) => {
                let content = json!({ "schema": { "type": "string" }, "example": example });
                response["content"] = json!({ *media_type: content });
            }
        }
        for Link { operation, id } in &self.links {
            let parameters = json!({ "id": format!("$response.body#{id}") });
            response["links"][*operation] = json!({ "operationId": operation, "parameters": parameters });
        }
        response
    }
}
