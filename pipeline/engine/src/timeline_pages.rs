//! The pages of one timeline, read from some instant on and written back.

use model::Segment;

use crate::{
    Result,
    ports::{StateStore, StateWrites},
    state_value::{PAGE_SEGMENTS_MAX, Page, page_address, page_start},
};

/// A timeline from some page on, as it is in the state.
#[derive(Debug, Default)]
pub struct Window {
    /// The first instant it covers; `None`: it covers everything, and there are no older pages.
    pub covers_from: Option<i64>,
    /// Where each of its older pages starts.
    pub older_starts: Vec<i64>,
    /// Its segments in order.
    pub segments: Vec<Segment>,
}

impl Window {
    /// The timeline of a head, from `earliest` on or from before.
    pub fn load(state: &dyn StateStore, head_address: &[u8], head: Page, earliest: i64) -> Result<Window> {
        if head.covers_from.is_none_or(|covers_from| earliest >= covers_from) {
            return Ok(Window { covers_from: head.covers_from, older_starts: Vec::new(), segments: head.segments });
        }
        let entries = state.scan_from_predecessor(head_address, &page_address(head_address, earliest))?;
        let mut older = Vec::with_capacity(entries.len());
        for (address, value) in entries.iter().filter(|(address, _)| address.len() > head_address.len()) {
            older.push((page_start(head_address, address)?, Page::decode(value)?));
        }
        Ok(Window::of_pages(head, older))
    }

    /// A head and the older pages before it, in order: the last ones there are, or all.
    pub fn of_pages(head: Page, older: Vec<(i64, Page)>) -> Window {
        let covers_from = older.first().map(|(start, _)| *start).or(head.covers_from);
        let older_starts = older.iter().map(|(start, _)| *start).collect();
        let mut segments: Vec<Segment> = older.into_iter().flat_map(|(_, page)| page.segments).collect();
        segments.extend(head.segments);
        Window { covers_from, older_starts, segments }
    }

    /// Writes other segments in the place of the window's, older half first when the head has grown too long.
    pub fn store(&self, head_address: &[u8], segments: &[Segment], writes: &mut StateWrites, buffer: &mut Vec<u8>) {
        let head_from = if segments.len() > PAGE_SEGMENTS_MAX { segments.len() - PAGE_SEGMENTS_MAX / 2 } else { 0 };
        let (older, head) = segments.split_at(head_from);
        let whole = self.covers_from.unwrap_or(i64::MIN);
        let mut written = Vec::new();
        for (index, chunk) in older.chunks(PAGE_SEGMENTS_MAX).enumerate() {
            let starts_at = if index == 0 { whole } else { chunk[0].from };
            Page { covers_from: None, segments: chunk.to_vec() }.encode(buffer);
            writes.put(&page_address(head_address, starts_at), buffer);
            written.push(starts_at);
        }
        // In order, as the starts of what was written are.
        for start in self.older_starts.iter().filter(|start| written.binary_search(start).is_err()) {
            writes.delete(&page_address(head_address, *start));
        }
        let covers_from =
            if older.is_empty() { self.covers_from.filter(|&start| start != i64::MIN) } else { Some(head[0].from) };
        if head.is_empty() && covers_from.is_none() {
            writes.delete(head_address);
            return;
        }
        Page { covers_from, segments: head.to_vec() }.encode(buffer);
        writes.put(head_address, buffer);
    }
}
