//! What the image mutations answer.

use async_graphql::ID;

use super::Image;
use crate::user_error::payload;

payload! { "imageCreate" => ImagePayload {
        /// The new image; send its bytes to `uploadPath` next.
        image: Image,
    }
    ImageCreateUserError ImageCreateErrorCode {
        /// An image of this kind has the name already.
        NameTaken,
    }
}
payload! { "imageDelete" => ImageDeletePayload {
        /// The image that is gone.
        image_id: ID,
    }
    ImageDeleteUserError ImageDeleteErrorCode {
        /// There is no such image.
        NotFound,
    }
}
