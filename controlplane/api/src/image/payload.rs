//! What the image mutations answer.

use async_graphql::ID;

use super::Image;
use crate::user_error::payload;

payload! { "imageCreate" => ImagePayload {
        /// The new image; send its bytes to `uploadPath` next.
        image: Image,
    }
    ImageCreateUserError ImageCreateErrorCode {
        /// The name cannot be used as it is.
        NameInvalid,
        /// The name is taken.
        NameTaken,
        /// The number of bytes is out of bounds.
        SizeInvalid,
        /// The digest is not 64 hexadecimal digits.
        #[graphql(name = "SHA256_INVALID")]
        Sha256Invalid,
    }
}
payload! { "imageDelete" => ImageDeletePayload {
        /// The image that is gone.
        image_id: ID,
    }
    ImageDeleteUserError ImageDeleteErrorCode {
        /// There is no such image.
        NotFound,
        /// A machine needs the image.
        ImageInUse,
    }
}
