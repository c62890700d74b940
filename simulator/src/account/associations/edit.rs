//! Reading and changing links.

use std::collections::BTreeMap;

use crate::account::associations::{
    Associations, Category, Direction, Label, LabelKey, Labels, MOST_LABELS, Pair, primary_key,
};
use crate::account::edit::GivenValues;
use crate::account::{Account, Moment, Source, Value, state_log};
use crate::object_type::Kind;

/// One end of a link: a type and an id.
pub type End = (Kind, u64);

/// A label as a request names it: by category, and by its number in the direction of the request.
pub type NamedLabel = (Category, u64);

/// What to do with the link between two records.
#[derive(Debug, Clone)]
pub enum LinkEdit {
    /// Make sure there is one; its labels stay.
    Plain,
    /// Make sure there is one, with these labels and no others.
    Replace(Vec<NamedLabel>),
    /// Take it away with all its labels.
    Remove,
    /// Take labels away; the plain one takes everything along. Source: HubSpot, "Associate records".
    RemoveLabels(Vec<NamedLabel>),
}

/// Why a link or a label was not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkError {
    /// No live record has this id.
    NoSuchRecord(End),
    /// The pair has no such label in this direction.
    NoSuchLabel(NamedLabel),
    /// The pair has as many labels as it may have.
    TooManyLabels,
    /// The pair has a label of this category and number.
    LabelExists,
}

/// The property that holds a record's primary company, for types that have one.
pub const fn primary_property(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::CONTACT => Some("associatedcompanyid"),
        Kind::DEAL => Some("hs_primary_associated_company"),
        Kind::TICKET => Some("hs_primary_company_id"),
        _ => None,
    }
}

impl Account {
    /// Everything about links that is not as the seed made it.
    pub const fn associations(&self) -> &Associations {
        &self.associations
    }

    /// Links from a live record to live records of a type, by their ids.
    pub fn links(&self, from: End, to: Kind) -> BTreeMap<u64, Labels> {
        if self.live(from.0, from.1).is_none() {
            return BTreeMap::new();
        }
        let mut links = self.all_links(from, to);
        links.retain(|&other, _| self.live(to, other).is_some());
        links
    }

    /// Links of a record, whether or not it and the others are live.
    pub(in crate::account) fn all_links(&self, from: End, to: Kind) -> BTreeMap<u64, Labels> {
        let (kind, id) = from;
        let mut links = self.dealt_links(kind, id, to);
        let Some(changed) = self.associations.pair(Pair::of(kind, to)) else { return links };
        let mut apply = |(other, state): (u64, Option<&Labels>)| {
            match state {
                Some(labels) => links.insert(other, labels.clone()),
                None => links.remove(&other),
            };
        };
        if kind <= to {
            changed.of_first(id).for_each(&mut apply);
        }
        if kind >= to {
            changed.of_second(id).for_each(&mut apply);
        }
        links
    }

    /// Changes the link between two live records; merged-away ids stand for the records that remain.
    pub fn edit_link(
        &mut self,
        from: End,
        to: End,
        edit: &LinkEdit,
        moment: Moment,
    ) -> Result<(), LinkError> {
        let (from, to) = (self.live_end(from)?, self.live_end(to)?);
        if from == to {
            return Err(LinkError::NoSuchRecord(to));
        }
        let before = self.all_links(from, to.0).remove(&to.1);
        let after = match edit {
            LinkEdit::Plain => Some(before.clone().unwrap_or_default()),
            LinkEdit::Replace(named) => {
                Some(self.keys_of(from, to, named)?.into_iter().filter_map(|(_, key)| key).collect())
            }
            LinkEdit::Remove => None,
            LinkEdit::RemoveLabels(named) => {
                let keys = self.keys_of(from, to, named)?;
                let loses_all = keys.iter().any(|(_, key)| key.is_none());
                let mut labels = before.clone().filter(|_| !loses_all);
                if let Some(labels) = &mut labels {
                    labels.retain(|kept| !keys.iter().any(|(_, key)| key.as_ref() == Some(kept)));
                }
                labels
            }
        };
        if after != before {
            self.put_link(from, to, after.as_ref(), moment);
            let primary = primary_key(Pair::of(from.0, to.0));
            let is_primary =
                primary.is_some_and(|key| after.iter().chain(&before).any(|labels| labels.contains(&key)));
            self.tell_link([from, to], after.is_none(), is_primary, moment);
        }
        Ok(())
    }

    /// Whether the pair has all labels an edit names.
    pub fn check_labels(&self, from: End, to: End, edit: &LinkEdit) -> Result<(), LinkError> {
        match edit {
            LinkEdit::Replace(named) | LinkEdit::RemoveLabels(named) => {
                self.keys_of(from, to, named).map(drop)
            }
            LinkEdit::Plain | LinkEdit::Remove => Ok(()),
        }
    }

    /// The live record an end stands for.
    fn live_end(&self, (kind, id): End) -> Result<End, LinkError> {
        let id = self.store(kind).survivor(id);
        self.live(kind, id).map(|_| (kind, id)).ok_or(LinkError::NoSuchRecord((kind, id)))
    }

    /// Each named label with its key; `None` for the plain one, which is no label of a link but the link itself.
    fn keys_of(
        &self,
        from: End,
        to: End,
        named: &[NamedLabel],
    ) -> Result<Vec<(NamedLabel, Option<LabelKey>)>, LinkError> {
        let direction = Direction::between(from, to) as usize;
        let labels = self.associations.labels(Pair::of(from.0, to.0));
        let key_of = |&(category, number): &NamedLabel| {
            let is_meant = |label: &Label| label.category == category && label.type_ids[direction] == number;
            let position = labels.iter().position(is_meant);
            let position = position.ok_or(LinkError::NoSuchLabel((category, number)))?;
            // The plain one comes first.
            Ok(((category, number), (position > 0).then(|| labels[position].key())))
        };
        named.iter().map(key_of).collect()
    }

    /// Stores a link and lets everything follow that hangs on it.
    fn put_link(&mut self, from: End, to: End, state: Option<&Labels>, moment: Moment) {
        let primary = primary_key(Pair::of(from.0, to.0));
        let (holder, company) = if from.0 == Kind::COMPANY { (to, from) } else { (from, to) };
        let becomes_primary = primary.filter(|key| state.is_some_and(|labels| labels.contains(key)));
        if let Some(key) = becomes_primary {
            self.demote_others(holder, company.1, key);
        }
        self.store_link(from, to, state.cloned());
        if (from.0, to.0) == (Kind::COMPANY, Kind::COMPANY) {
            self.follow_family([from.1, to.1], state, moment);
        }
        if primary.is_some() {
            self.mirror_primary(holder, moment);
        }
        self.refresh_rollups(from, moment);
        self.refresh_rollups(to, moment);
        if moment.habits.association_touches {
            for (kind, id) in [from, to] {
                // Both ends are live: that was checked before.
                let _ = self.touch(kind, id, moment);
            }
        }
    }

    /// Takes the primary label from all companies of a record but one.
    fn demote_others(&mut self, holder: End, kept: u64, key: LabelKey) {
        for (company, mut labels) in self.all_links(holder, Kind::COMPANY) {
            if company != kept && labels.remove(&key) {
                self.store_link(holder, (Kind::COMPANY, company), Some(labels));
            }
        }
    }

    /// Writes a link down and into the state file.
    pub(super) fn store_link(&mut self, from: End, to: End, state: Option<Labels>) {
        let is_forward = Direction::between(from, to) == Direction::Forward;
        let (first, second) = if is_forward { (from, to) } else { (to, from) };
        let pair = Pair::of(from.0, to.0);
        if self.log.is_some() {
            self.append(&state_log::link_line(self.registry(), pair, [first.1, second.1], state.as_ref()));
        }
        self.associations.pair_mut(pair).put(first.1, second.1, state);
    }

    /// Brings the property that names the primary company in line with the links; last-modified stays.
    fn mirror_primary(&mut self, (kind, id): End, moment: Moment) {
        let key = primary_key(Pair::of(kind, Kind::COMPANY));
        let (Some(name), Some(key)) = (primary_property(kind), key) else { return };
        let companies = self.all_links((kind, id), Kind::COMPANY);
        let company =
            companies.iter().find(|(_, labels)| labels.contains(&key)).map(|(id, _)| id.to_string());
        self.mirror((kind, id), name, company, moment);
    }

    /// Gives a property the value that follows from the links, if it has another; last-modified stays.
    pub(in crate::account) fn mirror(
        &mut self,
        (kind, id): End,
        name: &str,
        value: Option<String>,
        moment: Moment,
    ) {
        let catalogue = self.catalogue(kind);
        let Some(index) = catalogue.active(name) else { return };
        let shown = self.store(kind).get(&self.world, id).and_then(|view| view.text(catalogue, index));
        if shown.filter(|text| !text.is_empty()) == value {
            return;
        }
        let Some(mut change) = self.state_of(kind, id) else { return };
        let cleared = moment.habits.cleared_as_empty.then(Box::default);
        let text = value.map(String::into_boxed_str).or(cleared);
        change.set(index, Value { text, set_at: moment.now, source: Source::Calculated });
        self.commit(kind, id, change, moment);
    }

    /// Brings the links in line with the property that names the primary company, if it is among what was written.
    pub(in crate::account) fn follow_primary_property(
        &mut self,
        (kind, id): End,
        given: &GivenValues,
        moment: Moment,
    ) {
        let key = primary_key(Pair::of(kind, Kind::COMPANY));
        let (Some(name), Some(key)) = (primary_property(kind), key) else { return };
        let Some(text) = given.get(name) else { return };
        let named = text.as_deref().and_then(|text| text.parse().ok());
        let company = named.filter(|&company| self.live(Kind::COMPANY, company).is_some());
        self.demote_others((kind, id), company.unwrap_or_default(), key);
        if let Some(company) = company {
            let mut labels = self.all_links((kind, id), Kind::COMPANY).remove(&company).unwrap_or_default();
            labels.insert(key);
            self.store_link((kind, id), (Kind::COMPANY, company), Some(labels));
            self.tell_link([(kind, id), (Kind::COMPANY, company)], false, true, moment);
            self.refresh_rollups((Kind::COMPANY, company), moment);
            self.refresh_rollups((kind, id), moment);
        }
    }

    /// Gives a merged record the links of both. Where only one company can be primary, the primary record's stays.
    pub(in crate::account) fn move_links(
        &mut self,
        kind: Kind,
        [primary, other]: [u64; 2],
        survivor: u64,
        moment: Moment,
    ) {
        for to in self.registry().kinds() {
            let key = primary_key(Pair::of(kind, to));
            let [own, mut theirs] = [primary, other].map(|id| self.links_as_if_of(survivor, (kind, id), to));
            if let Some(key) =
                key.filter(|key| kind != Kind::COMPANY && own.values().any(|labels| labels.contains(key)))
            {
                for labels in theirs.values_mut() {
                    labels.remove(&key);
                }
            }
            let gone = [(primary, &own), (other, &theirs)]
                .map(|(id, links)| (id, links.keys().copied().collect::<Vec<_>>()));
            for (id, targets) in gone.into_iter().filter(|(id, _)| *id != survivor) {
                for target in targets {
                    self.store_link((kind, id), (to, target), None);
                }
            }
            let mut joined = own;
            for (target, labels) in theirs {
                joined.entry(target).or_default().extend(labels);
            }
            joined.retain(|target, _| kind != to || ![primary, other, survivor].contains(target));
            self.join_links((kind, survivor), to, joined, moment);
        }
    }

    /// Links of a record, whether or not it and the others are live, labelled as if another of its type had them.
    fn links_as_if_of(&self, heir: u64, from: End, to: Kind) -> BTreeMap<u64, Labels> {
        let mut links = self.all_links(from, to);
        if from.0 == to {
            for (&other, labels) in &mut links {
                if (from.1 < other) != (heir < other) {
                    *labels = self.associations.flipped(Pair::of(to, to), labels);
                }
            }
        }
        links
    }

    /// Writes down what a merged record is linked to, and tells those whose primary company it is now.
    fn join_links(&mut self, survivor: End, to: Kind, joined: BTreeMap<u64, Labels>, moment: Moment) {
        let is_company = survivor.0 == Kind::COMPANY;
        for (target, labels) in joined {
            self.store_link(survivor, (to, target), Some(labels));
            if is_company {
                self.mirror_primary((to, target), moment);
            }
        }
        if to == Kind::COMPANY && !is_company {
            self.mirror_primary(survivor, moment);
        }
        if to == Kind::COMPANY && is_company {
            self.settle_family(survivor.1, moment);
        }
    }

    /// Adds a label people define, named and numbered in the direction from one type to another.
    pub fn define_label(
        &mut self,
        from: Kind,
        to: Kind,
        names: [String; 2],
        type_ids: Option<[u64; 2]>,
    ) -> Result<Label, LinkError> {
        const FIRST: u64 = 36;
        let pair = Pair::of(from, to);
        let defined: usize = self.associations.iter().map(|(_, links)| links.labels.len()).sum();
        let number = FIRST + 2 * defined as u64;
        let mut label = Label {
            category: Category::UserDefined,
            type_ids: type_ids.unwrap_or([number, number + 1]),
            names: names.map(Some),
        };
        if from > to {
            label.type_ids.reverse();
            label.names.reverse();
        }
        let known = self.associations.labels(pair);
        if known.iter().skip(1).filter(|label| label.category == Category::UserDefined).count() >= MOST_LABELS
        {
            return Err(LinkError::TooManyLabels);
        }
        let clashes = |known: &Label| {
            known.category == label.category
                && known.type_ids.iter().zip(label.type_ids).any(|(&known, new)| known == new)
        };
        if known.iter().any(clashes) {
            return Err(LinkError::LabelExists);
        }
        self.append(&state_log::label_line(self.registry(), pair, &label));
        self.associations.pair_mut(pair).labels.push(label.clone());
        Ok(label)
    }
}
