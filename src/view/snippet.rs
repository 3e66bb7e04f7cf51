//! What a person puts into a page of their own to show a run there: docs/EMBED.md. Pure text.

/// A run's link, the same as a frame, and as an element.
pub const FORMS: [&str; 3] = ["link", "iframe", "element"];
pub const THEMES: [&str; 3] = ["auto", "light", "dark"];

/// What is to be seen there.
#[derive(Clone, Copy, Default)]
pub struct Shown<'a> {
    pub panel: &'a str,
    pub theme: &'a str,
    /// `None` leaves it to the reader's browser.
    pub lang: Option<&'a str>,
}

/// The address of one panel of a link's run.
fn address(link: &str, shown: Shown<'_>) -> String {
    let sign = if link.contains('?') { '&' } else { '?' };
    let lang = shown.lang.map(|lang| format!("&lang={lang}")).unwrap_or_default();
    format!("{link}{sign}embed={}&theme={}{lang}", shown.panel, shown.theme)
}

/// Where the playground lies.
fn folder(link: &str) -> &str {
    let page = link.split(['?', '#']).next().unwrap_or(link);
    page.rfind('/').map_or(page, |end| &page[..=end])
}

/// The run of `link` in the form of that number.
pub fn snippet(form: usize, link: &str, shown: Shown<'_>) -> String {
    let Shown { panel, theme, lang } = shown;
    match FORMS.get(form) {
        Some(&"iframe") => {
            let address = address(link, shown).replace('&', "&amp;").replace('"', "%22");
            format!(
                "<iframe src=\"{address}\" title=\"LoRA Playground: {panel}\" width=\"640\" height=\"400\"></iframe>"
            )
        }
        Some(&"element") => {
            let (folder, query) = (folder(link), link.split_once('?').map_or("", |(_, query)| query));
            let config = match query.replace('&', "&amp;").replace('"', "%22") {
                query if query.is_empty() => query,
                query => format!(" config=\"{query}\""),
            };
            let lang = lang.map(|lang| format!(" lang=\"{lang}\"")).unwrap_or_default();
            format!(
                "<script src=\"{folder}embed.js\" async></script> \
                 <lora-playground panels=\"{panel}\"{config} theme=\"{theme}\"{lang}></lora-playground>"
            )
        }
        _ => link.to_owned(),
    }
}

/// The page that shows what a snippet makes, and says so in the language of that code. What is behind the "#" stays in the browser.
pub fn preview(link: &str, snippet: &str, lang: &str) -> String {
    // The browser encodes what else an address may not have.
    format!("{}preview.html?lang={lang}#{}", folder(link), snippet.replace('%', "%25"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_in_three_forms() {
        let link = "https://example.org/lab/index.html?seed=2&lanes=full";
        let shown = |panel, theme, lang| Shown { panel, theme, lang };
        assert_eq!(snippet(0, link, shown("loss", "auto", None)), link);
        assert_eq!(
            snippet(1, link, shown("loss", "dark", Some("zh"))),
            "<iframe src=\"https://example.org/lab/index.html?seed=2&amp;lanes=full&amp;embed=loss&amp;theme=dark&amp;lang=zh\" \
             title=\"LoRA Playground: loss\" width=\"640\" height=\"400\"></iframe>"
        );
        assert_eq!(
            snippet(2, link, shown("gates", "auto", Some("en"))),
            "<script src=\"https://example.org/lab/embed.js\" async></script> \
             <lora-playground panels=\"gates\" config=\"seed=2&amp;lanes=full\" theme=\"auto\" lang=\"en\"></lora-playground>"
        );
        let bare = snippet(2, "https://example.org/lab/", shown("loss", "auto", None));
        assert!(bare.ends_with("panels=\"loss\" theme=\"auto\"></lora-playground>"), "{bare}");
        assert_eq!(
            address("https://example.org/", shown("loss", "auto", None)),
            "https://example.org/?embed=loss&theme=auto"
        );
    }

    #[test]
    fn a_preview_carries_the_very_snippet() {
        let address = preview("https://example.org/lab/index.html?seed=2", "<a b=\"中&amp;%20\">", "zh");
        assert_eq!(address, "https://example.org/lab/preview.html?lang=zh#<a b=\"中&amp;%2520\">");
    }
}
