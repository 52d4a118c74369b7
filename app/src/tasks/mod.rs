//! What pages change on the server. Each is one call; what it refuses comes back as a sentence for the user.

pub mod rescale;
