//! `userErrors`: what the caller can mend, with codes that belong to one mutation.

use async_graphql::resolver_utils::EnumType;

/// A payload that can say why the mutation was refused.
pub(crate) trait Payload: Sized {
    type Code: EnumType;

    /// Nothing was done, for these reasons: code, path to the input at fault, sentence.
    fn refused(reasons: Vec<(Self::Code, Vec<String>, String)>) -> Self;
}

/// Reads a code by its GraphQL name.
pub(crate) fn code_from_name<Code: EnumType>(name: &str) -> Option<Code> {
    Code::items().iter().find(|item| item.name == name).map(|item| item.value)
}

/// Declares the three types of one mutation's answer: payload, user error, codes.
///
/// Each mutation has its own codes, so that a client which matches on them is told by its compiler
/// when a new reason appears.
macro_rules! payload {
    (
        $mutation:literal => $payload:ident {
            $( #[doc = $about:literal] $field:ident : $type:ty ),* $(,)?
        }
        $error:ident $code:ident {
            $( #[doc = $why:literal] $( #[graphql($($as:tt)*)] )? $reason:ident ),+ $(,)?
        }
    ) => {
        #[doc = concat!("What `", $mutation, "` answers.")]
        #[derive(async_graphql::SimpleObject)]
        pub(crate) struct $payload {
            $(
                #[doc = $about]
                pub(crate) $field: Option<$type>,
            )*
            /// Why nothing was done; empty when it was.
            pub(crate) user_errors: Vec<$error>,
        }

        #[doc = concat!("One reason why `", $mutation, "` was refused.")]
        #[derive(async_graphql::SimpleObject)]
        pub(crate) struct $error {
            /// The reason, for programs.
            code: $code,
            /// Path to the argument at fault, e.g. `["input", "name"]`; empty when it is none.
            field: Vec<String>,
            /// The reason as a sentence for a person; may be reworded at any time.
            message: String,
        }

        #[doc = concat!("Why `", $mutation, "` can be refused.")]
        #[derive(async_graphql::Enum, Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(clippy::enum_variant_names, reason = "the names are the API's words")]
        pub(crate) enum $code {
            $( #[doc = $why] $( #[graphql($($as)*)] )? $reason, )+
        }

        impl crate::user_error::Payload for $payload {
            type Code = $code;

            fn refused(reasons: Vec<($code, Vec<String>, String)>) -> Self {
                let user_errors = reasons
                    .into_iter()
                    .map(|(code, field, message)| $error { code, field, message })
                    .collect();
                Self { $( $field: None, )* user_errors }
            }
        }

        impl $payload {
            /// It was done; these are its results.
            pub(crate) fn done($( $field: impl Into<Option<$type>> ),*) -> Self {
                Self { $( $field: $field.into(), )* user_errors: Vec::new() }
            }
        }
    };
}
pub(crate) use payload;
