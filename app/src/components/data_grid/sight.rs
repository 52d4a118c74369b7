//! Which rows are in sight. A scroll box cannot be higher than a browser allows, so beyond that its height stands for more.

/// Rows up to so many are all on the page.
pub const ALL_ON_PAGE: usize = 300;
/// Rows kept on the page beyond either edge of what is in sight.
const MARGIN: usize = 12;
/// Rows from the end within which a lower box has no room for what it stands for.
const NEAR_END: usize = 12;
/// Browsers keep places to the pixel up to about twice this.
const HIGHEST_PX: f64 = 15_000_000.0;

/// The rows on the page, and the room before and after them in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sight {
    /// The first row on the page.
    pub first: usize,
    /// The row after the last.
    pub end: usize,
    /// Room of the rows before.
    pub before_px: f64,
    /// Room of the rows after.
    pub after_px: f64,
}

impl Sight {
    /// What is on the page of `rows` rows, each `row_px` high, in a box of `height_px` that is scrolled by `top_px`.
    pub fn of(rows: usize, row_px: f64, height_px: f64, top_px: f64) -> Sight {
        if rows <= ALL_ON_PAGE {
            return Sight { first: 0, end: rows, before_px: 0.0, after_px: 0.0 };
        }
        let real = rows as f64 * row_px;
        let shown = real.min(HIGHEST_PX);
        let in_sight = (height_px / row_px).ceil() as usize + 1;
        // Where the box is lower than its rows, a step of scrolling passes more of them.
        let reach = (shown - height_px).max(1.0);
        let share = (top_px / reach).clamp(0.0, 1.0);
        let top_row = if shown < real {
            (share * (rows.saturating_sub(in_sight.saturating_sub(1))) as f64) as usize
        } else {
            (top_px / row_px) as usize
        };
        // Near its ends a lower box has no room for rows beyond them.
        let margin =
            |room_px: f64| if shown < real { MARGIN.min((room_px.max(0.0) / row_px) as usize) } else { MARGIN };
        let first = top_row.saturating_sub(margin(top_px));
        let end = (top_row + in_sight + margin(shown - top_px - in_sight as f64 * row_px)).min(rows);
        let on_page = (end - first) as f64 * row_px;
        let wanted = if shown < real { top_px - (top_row - first) as f64 * row_px } else { first as f64 * row_px };
        let before_px = wanted.clamp(0.0, (shown - on_page).max(0.0));
        Sight { first, end, before_px, after_px: (shown - before_px - on_page).max(0.0) }
    }

    /// How far a box that is scrolled by `top_px` has to be scrolled for a row to be seen whole, below a header that is as high as
    /// a row; `None` where it is seen.
    pub fn scroll_to(row: usize, rows: usize, row_px: f64, height_px: f64, top_px: f64) -> Option<f64> {
        if rows <= ALL_ON_PAGE || rows as f64 * row_px <= HIGHEST_PX {
            let (place, below) = (row as f64 * row_px, (row + 2) as f64 * row_px);
            let above = (place < top_px).then_some(place);
            return above.or((below > top_px + height_px).then_some(below - height_px));
        }
        // As in `of`, where a step of scrolling passes more rows than are on the page.
        let tops = rows.saturating_sub((height_px / row_px).ceil() as usize).max(1);
        let reach = (HIGHEST_PX - height_px).max(1.0);
        let seen = ((height_px / row_px) as usize).saturating_sub(1).max(1);
        let last = row + seen >= rows;
        let top_row = ((top_px / reach).clamp(0.0, 1.0) * tops as f64) as usize;
        // Close to the end rows stand up to two higher than elsewhere.
        let upper = if row + NEAR_END > tops { row.saturating_sub(2) } else { row };
        let wanted = match top_px >= reach {
            // All the way down the last rows stand at the lower edge.
            true if last => return None,
            false if last => return Some(HIGHEST_PX + 2.0 * row_px),
            true => upper,
            false if row < top_row => upper,
            false if row >= top_row + seen => row + 1 - seen,
            false => return None,
        };
        Some(((wanted as f64 + 0.5) / tops as f64).min(1.0) * reach)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_in_sight_is_on_the_page_and_the_box_keeps_its_height(
            rows in 1_usize..3_000_000, height in 100.0_f64..1_200.0, share in 0.0_f64..1.0,
        ) {
            let row_px = 32.0;
            let total = (rows as f64 * row_px).min(HIGHEST_PX);
            let top = share * (total - height).max(0.0);
            let sight = Sight::of(rows, row_px, height, top);
            prop_assert!(sight.first < sight.end && sight.end <= rows);
            prop_assert!(sight.end - sight.first <= ALL_ON_PAGE.max(100));
            if rows > ALL_ON_PAGE {
                let on_page = (sight.end - sight.first) as f64 * row_px;
                prop_assert!((sight.before_px + on_page + sight.after_px - total).abs() < 1.0);
                prop_assert!(sight.before_px <= top + 1.0, "{sight:?} at {top}");
                prop_assert!(sight.before_px + on_page >= (top + height).min(total) - 1.0, "{sight:?} at {top}");
            }
        }

        #[test]
        fn a_row_that_is_scrolled_to_is_seen_whole(
            rows in prop_oneof![2_usize..2_000, 350_000_usize..3_000_000],
            row in 0.0_f64..=1.0,
            height in 150.0_f64..1_200.0,
            share in prop_oneof![Just(0.0), Just(1.0), 0.0_f64..1.0],
        ) {
            let row_px = 38.0;
            let row = ((rows - 1) as f64 * row).round() as usize;
            // The header stands above the rows, and scrolls with them as far as it can be seen to.
            let total = (rows as f64 * row_px).min(HIGHEST_PX) + row_px;
            let most = (total - height).max(0.0);
            let top = (share * most).floor();
            let to = Sight::scroll_to(row, rows, row_px, height, top).map_or(top, |to| to.clamp(0.0, most).floor());
            let sight = Sight::of(rows, row_px, height, to);
            prop_assert!((sight.first..sight.end).contains(&row), "{sight:?} at {to}");
            let place = row_px + sight.before_px + (row - sight.first) as f64 * row_px;
            prop_assert!(place >= to + row_px - 1.0, "{place} is above {to}: {sight:?}");
            prop_assert!(place + row_px <= to + height + 1.0 || total <= height, "{place} is below {to}: {sight:?}");
            let again = Sight::scroll_to(row, rows, row_px, height, to).map(|again| again.clamp(0.0, most));
            prop_assert!(again.is_none_or(|again| (again - to).abs() <= 2.0), "{again:?} after {to}");
        }

        #[test]
        fn the_first_and_the_last_row_can_be_reached(rows in 301_usize..3_000_000, height in 100.0_f64..1_200.0) {
            let total = (rows as f64 * 32.0).min(HIGHEST_PX);
            prop_assert_eq!(Sight::of(rows, 32.0, height, 0.0).first, 0);
            prop_assert_eq!(Sight::of(rows, 32.0, height, total - height).end, rows);
        }
    }
}
