//! What a lesson speaks of is marked in the lab, by rules of the lessons' own style sheet: panels are drawn anew many times a
//! second, and a rule finds what is new. Knows nothing of what it marks.

use web_sys::CssStyleSheet;

use crate::host::browser::window;
use crate::view::ui::light;

/// What is marked now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    pub panel: Option<String>,
    pub mark: Option<String>,
    /// What a formula's symbol stands for.
    pub symbol: Option<String>,
}

/// Id of the link to the style sheet; its own rules are those up to the first that is written here.
const SHEET: &str = "lessons.css";
const OWN: &str = "lesson-marks";

pub fn show(marks: &Marks) {
    let Some(sheet) = sheet() else { return };
    let Ok(rules) = sheet.css_rules() else { return };
    // The last of the file's own rules is a keyframe of this name, after which all were written here.
    while let Some(last) = rules.length().checked_sub(1) {
        let text = rules.item(last).map(|rule| rule.css_text()).unwrap_or_default();
        if text.contains(OWN) || sheet.delete_rule(last).is_err() {
            break;
        }
    }
    let add = |rule: String| {
        let end = sheet.css_rules().map_or(0, |rules| rules.length());
        // A selector that the browser does not know marks nothing.
        let _ = sheet.insert_rule_with_index(&rule, end);
    };
    if let Some(panel) = &marks.panel {
        add(format!("#{panel} {{ outline: var(--lesson-panel); outline-offset: 4px; }}"));
        add(format!("#{panel} > header h2::before {{ content: \"▸ \"; }}"));
        // It comes first of the panels, where not all are side by side anyway.
        add(format!("@media (max-width: 759px) {{ .with-lesson #{panel} {{ order: -2; }} }}"));
        add(format!(
            "@media (min-width: 760px) and (max-width: 1679px) {{ .with-lesson .page #{panel}:not(#lanes, #loss) {{ order: -2; grid-column: 1 / -1; }} }}"
        ));
    }
    for (selector, style) in [(&marks.mark, "--lesson-mark"), (&marks.symbol, "--lesson-symbol")] {
        if let Some(selector) = selector {
            add(format!(
                "#app :is({selector}):not(path, rect, circle) {{ outline: var({style}); outline-offset: 2px; }}"
            ));
            // A drawn shape has an outline of its own.
            add(format!("#app :is({selector}):is(path, rect, circle) {{ stroke: var(--ink); stroke-width: 2px; }}"));
        }
    }
}

fn sheet() -> Option<CssStyleSheet> {
    let link = window()?.document()?.get_element_by_id(SHEET)?;
    light::sheet(&link)
}
