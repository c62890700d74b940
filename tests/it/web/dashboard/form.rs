//! Forms as a browser fills and sends them.

/// The fields of a form, in the order they stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// The form of a page that is posted, with what stands in it.
    #[track_caller]
    pub(super) fn of(html: &str) -> Self {
        let main = html.split_once("<main").expect("a page has content").1;
        let form = main.split("<form").find(|form| form.contains(r#"method="post""#)).expect("it has a form");
        let form = form.split("</form>").next().unwrap();
        let mut fields = Vec::new();
        for part in form.split('<').skip(1) {
            let (tag, text) = part.split_once('>').unwrap();
            let (name, value) = (attribute(tag, "name"), attribute(tag, "value").unwrap_or_default());
            let field = name.map(|name| (name, value.clone()));
            match tag.split_whitespace().next() {
                Some("input") if !tag.contains("checkbox") || tag.contains(" checked") => {
                    fields.extend(field);
                }
                // A text begins behind a line break, which does not count.
                Some("textarea") => fields.extend(field.map(|(name, _)| (name, unescaped(&text[1..])))),
                Some("select") => fields.extend(field),
                Some("option") if tag.contains(" selected") => fields.last_mut().unwrap().1 = value,
                _ => {}
            }
        }
        Self(fields)
    }

    /// What stands in a field.
    #[track_caller]
    pub(super) fn value(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("no field {name} in {self:?}"), |(_, value)| value.as_str())
    }

    /// Whether there is such a field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The same with something else in a field.
    #[track_caller]
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        let field = self.0.iter_mut().find(|(known, _)| known == name);
        value.clone_into(&mut field.unwrap_or_else(|| panic!("no field {name}")).1);
        self
    }

    /// What is sent.
    pub(super) fn fields(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

/// An attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!(" {name}=\""))?.1;
    Some(unescaped(value.split('"').next()?))
}

/// A text as it is shown.
fn unescaped(text: &str) -> String {
    let mut shown = text.to_owned();
    for (escaped, letter) in [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")]
    {
        shown = shown.replace(escaped, letter);
    }
    shown
}
