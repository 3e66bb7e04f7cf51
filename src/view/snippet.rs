//! What a person puts into a page of their own to show a run there: docs/EMBED.md. Pure text.

/// A run's link, the same as a frame, and as an element.
pub const FORMS: [&str; 3] = ["link", "iframe", "element"];
pub const THEMES: [&str; 3] = ["auto", "light", "dark"];

/// The address of one panel of a link's run.
pub fn address(link: &str, panel: &str, theme: &str) -> String {
    let sign = if link.contains('?') { '&' } else { '?' };
    format!("{link}{sign}embed={panel}&theme={theme}")
}

/// The run of `link` in the form of that number.
pub fn snippet(form: usize, link: &str, panel: &str, theme: &str) -> String {
    match FORMS.get(form) {
        Some(&"iframe") => {
            let address = address(link, panel, theme).replace('&', "&amp;").replace('"', "%22");
            format!(
                "<iframe src=\"{address}\" title=\"LoRA Playground: {panel}\" width=\"640\" height=\"400\"></iframe>"
            )
        }
        Some(&"element") => {
            let (page, query) = link.split_once('?').unwrap_or((link, ""));
            let folder = page.rfind('/').map_or(page, |end| &page[..=end]);
            let config = match query.replace('&', "&amp;").replace('"', "%22") {
                query if query.is_empty() => query,
                query => format!(" config=\"{query}\""),
            };
            format!(
                "<script src=\"{folder}embed.js\" async></script> \
                 <lora-playground panels=\"{panel}\"{config} theme=\"{theme}\"></lora-playground>"
            )
        }
        _ => link.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_in_three_forms() {
        let link = "https://example.org/lab/index.html?seed=2&lanes=full";
        assert_eq!(snippet(0, link, "loss", "auto"), link);
        assert_eq!(
            snippet(1, link, "loss", "dark"),
            "<iframe src=\"https://example.org/lab/index.html?seed=2&amp;lanes=full&amp;embed=loss&amp;theme=dark\" \
             title=\"LoRA Playground: loss\" width=\"640\" height=\"400\"></iframe>"
        );
        assert_eq!(
            snippet(2, link, "gates", "auto"),
            "<script src=\"https://example.org/lab/embed.js\" async></script> \
             <lora-playground panels=\"gates\" config=\"seed=2&amp;lanes=full\" theme=\"auto\"></lora-playground>"
        );
        assert!(snippet(2, "https://example.org/lab/", "loss", "auto").contains("panels=\"loss\" theme"));
        assert_eq!(address("https://example.org/", "loss", "auto"), "https://example.org/?embed=loss&theme=auto");
    }
}
