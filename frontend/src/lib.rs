//! The browser's entry, and room for the data of parts. Nothing else may live here.

/// Takes over the page that the server rendered.
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    app::hydrate();
}

/// Room for gaps. What parts the code parts its data along with it, each part's with gaps before what has to be aligned, and
/// only where that comes to no more bytes than before: by one more, all data is part of what every page loads, 35 KB of it
/// with brotli. Nothing refers to these bytes, so that no part has them and as many may go into gaps.
#[used]
static ROOM_FOR_GAPS: [u8; 4_096] = [1; 4_096];
