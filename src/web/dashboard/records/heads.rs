//! Addresses of lists: the heads of columns that order them, and the ways to other pages.

use url::form_urlencoded::Serializer;

use crate::web::api::list::{ListParameters, NUMBERED, Pagination};

/// Rows of a page.
pub(super) const ROWS: u32 = 50;
/// The order of a list nobody has asked to be ordered: the newest rows first. The primary key makes it cost nothing.
pub(super) const USUAL: &str = "-id";

/// The head of a column.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// What stands there.
    pub(super) title: String,
    /// What a click leads to; `None` where the list cannot be ordered so.
    pub(super) link: Option<String>,
    /// What `aria-sort` says.
    pub(super) order: Option<&'static str>,
    /// Whether the column holds numbers.
    pub(super) is_number: bool,
    /// Whether narrow screens leave the column out.
    pub(super) is_wide: bool,
}

/// Ways to other pages of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ways {
    /// The page before, where there is one that is known.
    pub(super) back: Option<String>,
    /// The next page.
    pub(super) next: Option<String>,
    /// The first page, where the way back is not known.
    pub(super) first: Option<String>,
}

/// The address of a list.
pub(super) fn address(path: &str, wanted: &ListParameters) -> String {
    let page = wanted.page.filter(|page| *page > 1).map(|page| page.to_string());
    let sort = wanted.sort.clone().filter(|sort| sort != USUAL);
    let mut query = Serializer::new(String::new());
    for (name, value) in [
        ("search", &wanted.search),
        ("syncStatus", &wanted.sync_status),
        ("archived", &wanted.archived),
        ("pipeline", &wanted.pipeline),
        ("stage", &wanted.stage),
        ("sort", &sort),
        ("page", &page),
        ("cursor", &wanted.cursor),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The same list from its beginning.
fn from_the_beginning(wanted: &ListParameters) -> ListParameters {
    ListParameters { page: None, cursor: None, ..wanted.clone() }
}

/// The head of a column by which a list can be ordered: in one direction, then the other, then not at all.
pub(super) fn sorting_head(
    path: &str,
    wanted: &ListParameters,
    title: &str,
    field: &str,
    first_descending: bool,
) -> Head {
    let (up, down) = (field.to_owned(), format!("-{field}"));
    let current = wanted.sort.as_deref();
    let order = match current {
        Some(sort) if sort == up => Some("ascending"),
        Some(sort) if sort == down => Some("descending"),
        _ => None,
    };
    let steps = if first_descending { [down, up] } else { [up, down] };
    let next = match current {
        Some(sort) if sort == steps[0] => Some(steps[1].clone()),
        Some(sort) if sort == steps[1] => None,
        _ => Some(steps[0].clone()),
    };
    let ordered = ListParameters { sort: next, ..from_the_beginning(wanted) };
    Head {
        title: title.to_owned(),
        link: Some(address(path, &ordered)),
        order,
        is_number: false,
        is_wide: false,
    }
}

/// Ways from a page to others. Numbers end at a bound, or where a page stops before it holds all it could, from where on a
/// cursor leads further.
pub(super) fn ways(path: &str, wanted: &ListParameters, pagination: &Pagination, shown: usize) -> Ways {
    let beginning = from_the_beginning(wanted);
    let numbered = |page: u32| ListParameters { page: Some(page), ..beginning.clone() };
    let next = pagination.next_cursor.as_ref().map(|cursor| match pagination.page {
        Some(page)
            if shown == pagination.limit as usize
                && u64::from(page) * u64::from(pagination.limit) < u64::from(NUMBERED) =>
        {
            numbered(page + 1)
        }
        _ => ListParameters { cursor: Some(cursor.clone()), ..beginning.clone() },
    });
    Ways {
        back: pagination.page.filter(|page| *page > 1).map(|page| address(path, &numbered(page - 1))),
        next: next.map(|next| address(path, &next)),
        first: pagination.page.is_none().then(|| address(path, &beginning)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list ordered so.
    fn sorted(sort: Option<&str>) -> ListParameters {
        let text = |text: &str| Some(text.to_owned());
        ListParameters {
            search: text("a&b"),
            sort: sort.and_then(text),
            page: Some(3),
            ..ListParameters::default()
        }
    }

    /// What is said of a page of a list of that length.
    fn pagination(page: Option<u32>, next: bool) -> Pagination {
        let next_cursor = next.then(|| "c".to_owned());
        Pagination { page, limit: ROWS, total: None, total_is_lower_bound: false, next_cursor }
    }

    #[test]
    fn a_click_orders_a_list_then_the_other_way_then_not_at_all() {
        let head = |sort| sorting_head("/contacts", &sorted(sort), "Email", "email", false);
        let link = |sort| head(sort).link.unwrap();
        assert_eq!(link(None), "/contacts?search=a%26b&sort=email");
        assert_eq!(link(Some("email")), "/contacts?search=a%26b&sort=-email");
        assert_eq!(link(Some("-email")), "/contacts?search=a%26b");
        assert_eq!(head(Some("-email")).order, Some("descending"));
        assert_eq!((head(Some("email")).order, head(Some("phone")).order), (Some("ascending"), None));
        let newest = sorting_head("/contacts", &sorted(None), "Changed", "lastModifiedHubspot", true);
        assert!(newest.link.unwrap().ends_with("sort=-lastModifiedHubspot"));
    }

    #[test]
    fn pages_are_numbered_up_to_a_bound_and_go_on_by_cursor() {
        let list = ListParameters { search: Some("x".to_owned()), ..ListParameters::default() };
        let at = |page, next| ways("/contacts", &list, &pagination(page, next), ROWS as usize);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(at(Some(1), false), Ways::default());
        assert_eq!(at(Some(1), true).next, text("/contacts?search=x&page=2"));
        assert_eq!(at(Some(2), false).back, text("/contacts?search=x"));
        assert_eq!(at(Some(200), true).next, text("/contacts?search=x&cursor=c"));
        let beyond = at(None, true);
        assert_eq!((beyond.back, beyond.first), (None, text("/contacts?search=x")));
        assert_eq!(beyond.next, text("/contacts?search=x&cursor=c"));
    }
}
