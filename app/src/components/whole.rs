//! Views of one type, whatever they are made of: what differs from case to case, and what should not be compiled anew for
//! everything around it.
//!
//! On the server this is Leptos' own. In the browser Leptos' own view of any type can also come alive piece by piece, waiting
//! in the middle for code that is loaded lazily; nothing here is loaded lazily, and those state machines were a sixth of
//! what every visitor downloads. So the browser has a view that only knows what happens there: it is built, brought
//! up to date, or taken over from the server's HTML in one go.

use leptos::{children::ToChildren, prelude::*};

#[cfg(not(target_arch = "wasm32"))]
pub use leptos::prelude::AnyView as WholeView;

#[cfg(target_arch = "wasm32")]
pub use browser::WholeView;

/// Erases a view.
pub trait Whole {
    /// The view as a value of one type, whatever it was.
    fn whole(self) -> WholeView;
}

impl<V: IntoView + 'static> Whole for V {
    #[cfg(not(target_arch = "wasm32"))]
    fn whole(self) -> WholeView {
        self.into_any()
    }

    #[cfg(target_arch = "wasm32")]
    fn whole(self) -> WholeView {
        WholeView::new(self)
    }
}

/// Part of a view that is made anew whenever something it reads changes.
pub type Changing = Box<dyn FnMut() -> WholeView + Send>;

/// Gives such parts one type, whatever they are made of: following changes is then compiled once.
pub fn changing<V: IntoView + 'static>(mut part: impl FnMut() -> V + Send + 'static) -> Changing {
    Box::new(move || part().whole())
}

/// What stands between the tags of a component.
pub struct WholeChildren(Box<dyn FnOnce() -> WholeView + Send>);

impl WholeChildren {
    /// Their view.
    pub fn view(self) -> WholeView {
        (self.0)()
    }
}

impl<F, V> ToChildren<F> for WholeChildren
where
    F: FnOnce() -> V + Send + 'static,
    V: IntoView + 'static,
{
    fn to_children(children: F) -> WholeChildren {
        WholeChildren(Box::new(move || children().whole()))
    }
}

#[cfg(target_arch = "wasm32")]
mod browser {
    use std::any::{Any, TypeId};

    use leptos::{
        prelude::RenderHtml,
        tachys::{
            html::attribute::{Attribute, any_attribute::AnyAttribute},
            hydration::Cursor,
            renderer::{
                Rndr,
                types::{Element, Node, Placeholder},
            },
            view::{Mountable, Position, PositionState, Render, add_attr::AddAnyAttr},
        },
    };

    /// A view of whatever type.
    pub struct WholeView(Box<dyn Alive>);

    /// What a view does in the browser.
    trait Alive: Send {
        fn kind(&self) -> TypeId;
        fn build(self: Box<Self>) -> WholeState;
        fn rebuild(self: Box<Self>, shown: &mut dyn Any);
        fn hydrate(self: Box<Self>, cursor: &Cursor, position: &PositionState) -> WholeState;
    }

    /// What a view is in the page.
    trait Shown: Mountable + Any {}

    impl<S: Mountable + Any> Shown for S {}

    /// A view in the page.
    pub struct WholeState {
        kind: TypeId,
        shown: Box<dyn Shown>,
        /// Holds the place of a view that has nothing in the page.
        placeholder: Option<Placeholder>,
    }

    impl WholeView {
        pub(super) fn new<V: RenderHtml + 'static>(view: V) -> WholeView {
            WholeView(Box::new(view))
        }
    }

    impl<V: RenderHtml + 'static> Alive for V {
        fn kind(&self) -> TypeId {
            TypeId::of::<V>()
        }

        fn build(self: Box<Self>) -> WholeState {
            let shown = Box::new(Render::build(*self));
            WholeState { kind: TypeId::of::<V>(), shown, placeholder: (!V::EXISTS).then(Rndr::create_placeholder) }
        }

        fn rebuild(self: Box<Self>, shown: &mut dyn Any) {
            if let Some(state) = shown.downcast_mut::<V::State>() {
                Render::rebuild(*self, state);
            }
        }

        fn hydrate(self: Box<Self>, cursor: &Cursor, position: &PositionState) -> WholeState {
            let shown = Box::new(RenderHtml::hydrate::<true>(*self, cursor, position));
            let placeholder = (!V::EXISTS).then(|| cursor.next_placeholder(position));
            WholeState { kind: TypeId::of::<V>(), shown, placeholder }
        }
    }

    impl Render for WholeView {
        type State = WholeState;

        fn build(self) -> WholeState {
            self.0.build()
        }

        fn rebuild(self, state: &mut WholeState) {
            if self.0.kind() == state.kind {
                return self.0.rebuild(&mut *state.shown);
            }
            let mut new = self.0.build();
            state.insert_before_this(&mut new);
            state.unmount();
            *state = new;
        }
    }

    impl Mountable for WholeState {
        fn unmount(&mut self) {
            self.shown.unmount();
            if let Some(placeholder) = &mut self.placeholder {
                placeholder.unmount();
            }
        }

        fn mount(&mut self, parent: &Element, marker: Option<&Node>) {
            self.shown.mount(parent, marker);
            if let Some(placeholder) = &mut self.placeholder {
                placeholder.mount(parent, marker);
            }
        }

        fn insert_before_this(&self, child: &mut dyn Mountable) -> bool {
            self.shown.insert_before_this(child)
                || self.placeholder.as_ref().is_some_and(|placeholder| placeholder.insert_before_this(child))
        }

        fn elements(&self) -> Vec<Element> {
            self.shown.elements()
        }
    }

    impl AddAnyAttr for WholeView {
        type Output<A: Attribute> = WholeView;

        /// The server wrote the attribute into the page; none given from outside changes later.
        fn add_any_attr<A: Attribute>(self, _attribute: A) -> WholeView {
            self
        }
    }

    impl RenderHtml for WholeView {
        type AsyncOutput = WholeView;
        type Owned = WholeView;

        const MIN_LENGTH: usize = 0;

        fn dry_resolve(&mut self) {}

        async fn resolve(self) -> WholeView {
            self
        }

        /// Only the server writes HTML.
        fn to_html_with_buf(
            self,
            _buffer: &mut String,
            _position: &mut Position,
            _escape: bool,
            _mark_branches: bool,
            _extra_attributes: Vec<AnyAttribute>,
        ) {
        }

        fn hydrate<const FROM_SERVER: bool>(self, cursor: &Cursor, position: &PositionState) -> WholeState {
            self.0.hydrate(cursor, position)
        }

        fn into_owned(self) -> WholeView {
            self
        }
    }
}
