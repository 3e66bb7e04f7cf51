//! A chart drawn as SVG text in real pixels, as wide as its place. The text is made here, from numbers and the project's
//! own words, so that it may be put into the page as it is.

use yew::prelude::*;

use crate::view::ui::size::use_size;

/// Draws a chart so many pixels wide.
#[derive(Clone)]
pub struct Draw(pub std::rc::Rc<dyn Fn(f64) -> String>);

#[derive(Properties)]
pub struct ChartProps {
    /// What it shows, for those who cannot see it.
    pub label: AttrValue,
    pub draw: Draw,
}

impl PartialEq for ChartProps {
    /// Charts are drawn anew with the view around them: nothing tells whether two closures draw the same.
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

/// Wider than this, points only drift apart.
const WIDEST: f64 = 760.0;

#[component]
pub fn Chart(props: &ChartProps) -> Html {
    let node = use_node_ref();
    let (width, _) = use_size(&node);
    let svg = (width > 0.0).then(|| (props.draw.0)(width.min(WIDEST)));
    html! {
        <div ref={node} class="drawn" role="img" aria-label={props.label.clone()}>
            if let Some(svg) = svg {
                { Html::from_html_unchecked(AttrValue::from(svg)) }
            }
        </div>
    }
}
