//! What callers without a token may ask: one field at a time.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery};
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{ErrorExtensionValues, ServerError, ServerResult, Variables};

use crate::Caller;

/// Fragments in fragments around that one field.
const NESTING_MAX: usize = 8;

/// Refuses documents that would try many tokens, or the same work many times, in one request.
pub(crate) struct OneField;

impl ExtensionFactory for OneField {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for OneField {
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(ctx, query, variables).await?;
        let known = matches!(ctx.data_opt::<Caller>(), Some(Caller(Some(_))));
        let mut operations = document.operations.iter();
        if known || operations.all(|(_, it)| is_one(&document, &it.node.selection_set.node)) {
            return Ok(document);
        }
        let text = "Without a token one field is answered at a time: send the header \
                    `Authorization: Bearer …`.";
        let mut error = ServerError::new(text, None);
        let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
        extensions.set("code", "UNAUTHENTICATED");
        Err(error)
    }
}

/// Whether a selection asks for no more than one field.
fn is_one(document: &ExecutableDocument, selection: &SelectionSet) -> bool {
    let mut items = &selection.items;
    for _ in 0..NESTING_MAX {
        items = match items.as_slice() {
            [] => return true,
            [one] => match &one.node {
                Selection::Field(_) => return true,
                Selection::InlineFragment(it) => &it.node.selection_set.node.items,
                Selection::FragmentSpread(it) => {
                    match document.fragments.get(&it.node.fragment_name.node) {
                        Some(it) => &it.node.selection_set.node.items,
                        None => return true, // Nothing runs: the validation refuses it.
                    }
                }
            },
            _ => return false,
        };
    }
    false
}
