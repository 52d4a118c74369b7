//! A dashboard in small: its first tiles in their places on the grid of its page, each as the picture that it has by itself.

use std::{collections::BTreeMap, fmt::Write};

use super::{PictureTheme, TilePictureRequest, side};
use crate::dashboards::{Clock, Dashboard, GRID_COLUMNS, Options, PictureDefinition, TileDefinition, titled, values};

/// The part of a page that a thumbnail shows, in CSS pixels: it has the shape of this, however wide it is.
const PAGE_PX: (f64, f64) = (1_200.0, 750.0);
/// Width of a thumbnail in pixels where nothing is said.
const WIDTH_PX: u32 = 320;
/// Between tiles, and at the edges of the page.
const GAP_PX: f64 = 16.0;
/// Between the edge of a tile and its picture.
const INSET_PX: f64 = 10.0;
/// A row of a picture, and what a tile has above and below its picture.
const ROW_PX: f64 = 40.0;
const AROUND_PX: f64 = 84.0;
/// A tile with one figure, whose height is that of its words.
const FIGURE_PX: f64 = 150.0;
/// Tiles that are drawn at most; more of them would be too small to be told apart.
const TILES_MOST: usize = 16;
/// Points along an axis that a line is drawn with at most: a thumbnail shows no more of them.
const COLUMNS: u32 = 240;

/// A thumbnail that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Thumbnail {
    width_px: u32,
    theme: PictureTheme,
    tiles: Vec<ThumbnailTile>,
}

/// A tile in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct ThumbnailTile {
    /// Its name in the dashboard.
    pub id: String,
    title: String,
    /// Left, top, width and height in pixels of the page.
    area: [f64; 4],
    /// Whether it is drawn as its picture and not as a plain block.
    pictured: bool,
}

impl Thumbnail {
    /// Reads the parameters of an address, which are those of the dashboard's page, and `width` and `theme`. An error is a
    /// sentence for the user.
    pub fn read(dashboard: &Dashboard, get: impl Fn(&str) -> Option<String>) -> Result<Thumbnail, String> {
        let (width_px, theme) = (side("width", WIDTH_PX, &get)?, PictureTheme::read(&get)?);
        let placed = in_places(&shown_groups(dashboard, get("tab").as_deref()));
        // What has to be read to be known has a gap.
        let said = values(&dashboard.variables, &Options::default(), &get);
        let tiles = placed.into_iter().take(TILES_MOST).map(|(tile, area)| ThumbnailTile {
            id: tile.id.clone(),
            title: titled(&tile.title, &said),
            area,
            pictured: matches!(tile.picture, PictureDefinition::Chart(_) | PictureDefinition::Kpi { .. }),
        });
        Ok(Thumbnail { width_px, theme, tiles: tiles.collect() })
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        let height = f64::from(self.width_px) * PAGE_PX.1 / PAGE_PX.0;
        (self.width_px, height.round().max(1.0) as u32)
    }

    /// The tiles that are drawn as their pictures, as far as they can be.
    pub fn pictured(&self) -> impl Iterator<Item = &ThumbnailTile> {
        self.tiles.iter().filter(|tile| tile.pictured)
    }

    /// The thumbnail as SVG, of the pictures that were drawn, each an SVG, by tile. The others are plain blocks with their titles.
    pub fn compose(&self, drawn: &BTreeMap<String, String>) -> String {
        let (width, height) = self.size();
        let token = |name: &str| self.theme.token(name);
        let mut svg = format!(
            "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" xmlns=\"http://www.w3.org/2000/svg\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
            PAGE_PX.0,
            PAGE_PX.1,
            token("--page")
        );
        for tile in &self.tiles {
            let [left, top, width, height] = tile.area;
            // Writing into a text never fails.
            let _ = writeln!(
                svg,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{}\" stroke=\"{}\"/>",
                token("--surface"),
                token("--border")
            );
            let inside = drawn.get(&tile.id).and_then(|picture| content_of(picture));
            svg.push_str(&tile.nested(inside.unwrap_or(&self.block(tile))));
        }
        svg.push_str("</svg>\n");
        svg.retain(is_xml);
        svg
    }

    /// The title of a tile that is drawn as a plain block.
    fn block(&self, tile: &ThumbnailTile) -> String {
        let title = html_escape::encode_text(&tile.title);
        let family = html_escape::encode_double_quoted_attribute(self.theme.token("--font-family"));
        let ink = self.theme.token("--text-quiet");
        format!("<text x=\"8\" y=\"34\" font-family=\"{family}\" font-size=\"28\" fill=\"{ink}\">{title}</text>\n")
    }
}

impl ThumbnailTile {
    /// What has to be asked for its picture, without what is noted on it; `None` where it has none at this address.
    pub fn picture(
        &self,
        dashboard: &Dashboard,
        clock: Clock,
        options: &Options,
        get: impl Fn(&str) -> Option<String>,
    ) -> Option<TilePictureRequest> {
        let [_, _, width, height] = self.picture_area();
        // The size is that of its place, whatever the address says of the whole.
        let of_tile = |name: &str| match name {
            "width" | "height" => None,
            _ => get(name),
        };
        let request = TilePictureRequest::read(dashboard, &self.id, clock, options, of_tile)?.ok()?;
        let size = (width.round().max(1.0) as u32, height.round().max(1.0) as u32);
        Some(TilePictureRequest { size, notes: None, columns: COLUMNS, ..request })
    }

    fn picture_area(&self) -> [f64; 4] {
        let [left, top, width, height] = self.area;
        let inside = |side: f64| (side - 2.0 * INSET_PX).max(1.0);
        [left + INSET_PX, top + INSET_PX, inside(width), inside(height)]
    }

    /// What stands in the tile, cut off at its edges.
    fn nested(&self, content: &str) -> String {
        let [left, top, width, height] = self.picture_area();
        format!("<svg x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\">\n{content}</svg>\n")
    }
}

/// What stands between the tags of an SVG.
fn content_of(svg: &str) -> Option<&str> {
    let (_, content) = svg.split_once('>')?;
    content.rsplit_once("</svg>").map(|(content, _)| content)
}

/// Whether a character may stand in XML 1.0; what a dataset holds may have others.
fn is_xml(c: char) -> bool {
    (!c.is_control() || matches!(c, '\t' | '\n' | '\r')) && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// The tiles of a page as it opens, in the order of their places: what stands on no tab, then what stands on the tab that is
/// shown; on either the tiles in no section before those of sections that are not folded. Each group begins a row.
fn shown_groups<'a>(dashboard: &'a Dashboard, tab: Option<&str>) -> Vec<Vec<&'a TileDefinition>> {
    let named = dashboard.tabs.iter().find(|known| Some(known.id.as_str()) == tab).or(dashboard.tabs.first());
    let tabs = std::iter::once("").chain(named.map(|tab| tab.id.as_str()));
    let mut groups = Vec::new();
    for tab in tabs {
        groups.push(dashboard.tiles.iter().filter(|tile| tile.section.is_empty() && tile.tab == tab).collect());
        for section in dashboard.sections.iter().filter(|section| section.tab == tab && !section.folded) {
            groups.push(dashboard.tiles.iter().filter(|tile| tile.section == section.id).collect());
        }
    }
    groups
}

/// The tiles that begin on the part of the page that is shown, each with its place: from left to right, and in the next row
/// where it does not fit. Tiles of a row are as high as the highest.
fn in_places<'a>(groups: &[Vec<&'a TileDefinition>]) -> Vec<(&'a TileDefinition, [f64; 4])> {
    let columns = f64::from(GRID_COLUMNS);
    let column_px = (PAGE_PX.0 - GAP_PX * (columns + 1.0)) / columns;
    let mut placed = Vec::new();
    let mut top = GAP_PX;
    for row in groups.iter().flat_map(|group| rows_of(group)) {
        if top >= PAGE_PX.1 {
            break;
        }
        let height = row.iter().map(|tile| height_px(tile)).fold(0.0, f64::max);
        let mut left = GAP_PX;
        for tile in row {
            let span = f64::from(tile.width.clamp(1, GRID_COLUMNS));
            let width = span * column_px + (span - 1.0) * GAP_PX;
            placed.push((tile, [left, top, width, height]));
            left += width + GAP_PX;
        }
        top += height + GAP_PX;
    }
    placed
}

/// A group of tiles, row by row.
fn rows_of<'a>(group: &[&'a TileDefinition]) -> Vec<Vec<&'a TileDefinition>> {
    let mut rows: Vec<Vec<&TileDefinition>> = Vec::new();
    let mut left = 0;
    for &tile in group {
        let width = tile.width.clamp(1, GRID_COLUMNS);
        match rows.last_mut() {
            Some(row) if left + width <= GRID_COLUMNS => row.push(tile),
            _ => {
                rows.push(vec![tile]);
                left = 0;
            }
        }
        left += width;
    }
    rows
}

fn height_px(tile: &TileDefinition) -> f64 {
    match tile.picture {
        PictureDefinition::Kpi { .. } => FIGURE_PX,
        _ => f64::from(tile.rows()) * ROW_PX + AROUND_PX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dashboard(more: &str, tiles: &[(&str, u8, &str)]) -> Dashboard {
        let tile = |(id, width, more): &(&str, u8, &str)| {
            format!(
                r#"{{"id": "{id}", "title": "A <{id}>", "width": {width}, "sql": "SELECT 1", "picture": {{"grid": {{}}}}{more}}}"#
            )
        };
        let tiles = tiles.iter().map(tile).collect::<Vec<_>>().join(",");
        serde_json::from_str(&format!(r#"{{"name": "d", "title": "D"{more}, "tiles": [{tiles}]}}"#)).unwrap()
    }

    fn thumbnail(dashboard: &Dashboard, parameters: &[(&str, &str)]) -> Result<Thumbnail, String> {
        Thumbnail::read(dashboard, |name| parameters.iter().find(|it| it.0 == name).map(|it| it.1.to_owned()))
    }

    fn ids(thumbnail: &Thumbnail) -> Vec<&str> {
        thumbnail.tiles.iter().map(|tile| tile.id.as_str()).collect()
    }

    #[test]
    fn tiles_stand_where_they_stand_on_the_page_as_far_as_it_is_shown() {
        let dashboard = dashboard("", &[("a", 8, ""), ("b", 4, ""), ("c", 6, ""), ("d", 7, ""), ("e", 12, "")]);
        let found = thumbnail(&dashboard, &[]).unwrap();
        let areas: Vec<[f64; 4]> = found.tiles.iter().map(|tile| tile.area).collect();
        assert_eq!(ids(&found), ["a", "b", "c", "d"], "the last begins below");
        assert_eq!((areas[0][1], areas[1][1]), (GAP_PX, GAP_PX));
        assert!((areas[0][0] + areas[0][2] + GAP_PX - areas[1][0]).abs() < 1e-6, "{areas:?}");
        assert!((areas[1][0] + areas[1][2] + GAP_PX - PAGE_PX.0).abs() < 1e-6, "{areas:?}");
        assert!(areas[2][1] > areas[0][1] && areas[3][1] > areas[2][1], "seven columns do not fit beside six");
        assert_eq!(found.size(), (320, 200));
    }

    #[test]
    fn what_is_not_shown_as_the_page_opens_is_not_there() {
        let more = r#", "tabs": [{"id": "one", "title": "1"}, {"id": "two", "title": "2"}],
            "sections": [{"id": "open", "title": "O", "tab": "one"}, {"id": "shut", "title": "S", "tab": "one", "folded": true}]"#;
        let tiles = [
            ("in-open", 3, r#", "section": "open""#),
            ("in-shut", 3, r#", "section": "shut""#),
            ("on-two", 3, r#", "tab": "two""#),
            ("on-one", 3, r#", "tab": "one""#),
            ("above", 3, ""),
        ];
        let dashboard = dashboard(more, &tiles);
        assert_eq!(ids(&thumbnail(&dashboard, &[]).unwrap()), ["above", "on-one", "in-open"]);
        assert_eq!(ids(&thumbnail(&dashboard, &[("tab", "two")]).unwrap()), ["above", "on-two"]);
        assert_eq!(ids(&thumbnail(&dashboard, &[("tab", "gone")]).unwrap()), ["above", "on-one", "in-open"]);
    }

    #[test]
    fn what_has_no_picture_is_a_block_with_its_title() {
        let dashboard = dashboard("", &[("a", 6, ""), ("b", 6, "")]);
        let found = thumbnail(&dashboard, &[("theme", "dark"), ("width", "640")]).unwrap();
        let drawn = BTreeMap::from([("b".to_owned(), "<svg width=\"1\">\n<text>\u{1}b\n</text></svg>\n".to_owned())]);
        let svg = found.compose(&drawn);
        assert!(svg.contains("A &lt;a&gt;") && !svg.contains("A &lt;b&gt;"), "{svg}");
        assert!(svg.contains("<text>b\n</text>") && svg.contains(PictureTheme::Dark.token("--page")), "{svg}");
        assert_eq!(found.pictured().count(), 0);
        assert!(thumbnail(&dashboard, &[("width", "9")]).unwrap_err().contains("64 to 4096"));
        assert!(thumbnail(&dashboard, &[("theme", "pink")]).unwrap_err().contains("light or dark"));
    }
}
