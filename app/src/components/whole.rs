//! Erased views that hydrate in one go.
//!
//! Erasing a view makes code for every way it can come alive, among them hydration that waits in the middle for code that is
//! loaded lazily. Nothing here is loaded lazily, and those state machines were a sixth of what every visitor downloads.

use leptos::{
    prelude::*,
    tachys::{
        html::attribute::{Attribute, any_attribute::AnyAttribute},
        hydration::Cursor,
        ssr::StreamBuilder,
        view::{Position, PositionState, Render, RenderHtml, add_attr::AddAnyAttr},
    },
};

/// Erases a view.
pub trait Whole {
    /// The view as a value of one type, whatever it was.
    fn whole(self) -> AnyView;
}

impl<V: IntoView + 'static> Whole for V {
    fn whole(self) -> AnyView {
        InOneGo(self).into_any()
    }
}

/// A view whose asynchronous hydration is the synchronous one. Everything else is the view's own.
struct InOneGo<V>(V);

impl<V: Render> Render for InOneGo<V> {
    type State = V::State;

    fn build(self) -> Self::State {
        self.0.build()
    }

    fn rebuild(self, state: &mut Self::State) {
        self.0.rebuild(state);
    }
}

impl<V: RenderHtml + Send> AddAnyAttr for InOneGo<V> {
    type Output<A: Attribute> = InOneGo<V::Output<A>>;

    fn add_any_attr<A: Attribute>(self, attr: A) -> Self::Output<A>
    where
        Self::Output<A>: RenderHtml,
    {
        InOneGo(self.0.add_any_attr(attr))
    }
}

impl<V: RenderHtml + Send> RenderHtml for InOneGo<V> {
    type AsyncOutput = V::AsyncOutput;
    type Owned = InOneGo<V::Owned>;

    const MIN_LENGTH: usize = V::MIN_LENGTH;
    const EXISTS: bool = V::EXISTS;

    fn dry_resolve(&mut self) {
        self.0.dry_resolve();
    }

    fn resolve(self) -> impl Future<Output = Self::AsyncOutput> + Send {
        self.0.resolve()
    }

    fn html_len(&self) -> usize {
        self.0.html_len()
    }

    fn to_html_with_buf(
        self,
        buf: &mut String,
        position: &mut Position,
        escape: bool,
        mark_branches: bool,
        extra_attrs: Vec<AnyAttribute>,
    ) {
        self.0.to_html_with_buf(buf, position, escape, mark_branches, extra_attrs);
    }

    fn to_html_async_with_buf<const OUT_OF_ORDER: bool>(
        self,
        buf: &mut StreamBuilder,
        position: &mut Position,
        escape: bool,
        mark_branches: bool,
        extra_attrs: Vec<AnyAttribute>,
    ) {
        self.0.to_html_async_with_buf::<OUT_OF_ORDER>(buf, position, escape, mark_branches, extra_attrs);
    }

    fn hydrate<const FROM_SERVER: bool>(self, cursor: &Cursor, position: &PositionState) -> Self::State {
        self.0.hydrate::<FROM_SERVER>(cursor, position)
    }

    fn into_owned(self) -> Self::Owned {
        InOneGo(self.0.into_owned())
    }
}
