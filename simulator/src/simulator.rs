//! Everything requests share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use anyhow::Result;

use crate::account::source::USER_ID;
use crate::account::{Account, Moment, Source};
use crate::clock::Clock;
use crate::config::Config;
use crate::faults::Faults;
use crate::generate::World;
use crate::limits::Limiter;
use crate::object_type::{Kind, ObjectType};
use crate::random::mix;
use crate::render::Selection;
use crate::settings::Settings;
use crate::stats::Stats;
use crate::webhooks::Webhooks;

/// Selections kept ready; more distinct property lists than this start the collection anew.
const SELECTIONS: usize = 64;

/// Property lists prepared before, by type, catalogue version and the list as it was sent.
type Selections = HashMap<(Kind, u64, String), Arc<Selection>>;

/// One running account with its limits, faults and counts.
#[derive(Debug)]
pub struct Simulator {
    /// The command line.
    pub config: Config,
    /// The only source of time.
    pub clock: Clock,
    /// What the app is told of changes.
    pub webhooks: Webhooks,
    /// The portal's content.
    account: RwLock<Account>,
    /// What can be changed while running.
    settings: RwLock<Arc<Settings>>,
    /// What counts towards limits.
    limiter: Mutex<Limiter>,
    /// What was asked.
    stats: Mutex<Stats>,
    /// Misbehaviour that waits.
    faults: Mutex<Faults>,
    /// Property lists prepared before.
    selections: Mutex<Selections>,
    /// Answers whose order was drawn.
    orders: AtomicU64,
}

impl Simulator {
    /// The simulator of a command line.
    ///
    /// # Errors
    /// A value is out of range or the state file cannot be used.
    pub fn new(config: Config) -> Result<Self> {
        let settings = Settings::new(&config);
        settings.check()?;
        let world = World::new(config.seed, &config.counts());
        let custom: Vec<String> = config.custom.iter().map(|(name, _)| name.clone()).collect();
        let mut account = Account::new(world, &custom, config.record_bytes)?;
        if let Some(path) = &config.state {
            account.keep_state_in(path)?;
        }
        Ok(Self {
            clock: Clock::new(),
            webhooks: Webhooks::default(),
            account: RwLock::new(account),
            settings: RwLock::new(Arc::new(settings)),
            limiter: Mutex::new(Limiter::new(config.time_zone)),
            stats: Mutex::default(),
            faults: Mutex::default(),
            selections: Mutex::default(),
            orders: AtomicU64::new(0),
            config,
        })
    }

    /// The portal's content, to read. A panic elsewhere does not end the simulator.
    pub fn account(&self) -> RwLockReadGuard<'_, Account> {
        self.account.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The portal's content, to change.
    pub fn account_mut(&self) -> RwLockWriteGuard<'_, Account> {
        self.account.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The portal's content with everything search should see by now.
    pub fn settled_account(&self) -> RwLockReadGuard<'_, Account> {
        if !self.account().is_settled() {
            self.account_mut().settle(self.clock.now());
        }
        self.account()
    }

    /// Has values that are calculated when they are read calculated for the present day, if that is switched on.
    pub fn settle_day(&self) {
        if self.settings().read_time_values {
            self.account().world.set_today(self.clock.now());
        }
    }

    /// The present settings.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the settings.
    pub fn set_settings(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// What counts towards limits.
    pub fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked.
    pub fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Misbehaviour that waits.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A word never given out before, for orders that HubSpot does not keep from one answer to the next.
    pub fn order_nonce(&self) -> u64 {
        mix(self.config.seed, self.orders.fetch_add(1, Ordering::Relaxed))
    }

    /// The moment of a change somebody makes now in HubSpot's interface.
    pub fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), habits: self.settings().habits(), source: Source::User(USER_ID) }
    }

    /// The moment of a change the app makes now through the API.
    pub fn app_moment(&self) -> Moment {
        let settings = self.settings();
        Moment { now: self.clock.now(), habits: settings.habits(), source: settings.app() }
    }

    /// The prepared form of comma-separated lists of properties and of properties with history.
    pub fn selection(
        &self,
        account: &Account,
        object_type: &ObjectType,
        list: &str,
        history_list: &str,
    ) -> Arc<Selection> {
        let catalogue = account.catalogue(object_type.kind);
        let key = (object_type.kind, catalogue.version(), format!("{list}\n{history_list}"));
        let mut selections = self.selections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(selection) = selections.get(&key) {
            return Arc::clone(selection);
        }
        if selections.len() >= SELECTIONS {
            selections.clear();
        }
        let [names, history_names] =
            [list, history_list].map(|list| list.split(',').filter(|name| !name.is_empty()));
        let selection = Arc::new(Selection::new(object_type, catalogue, names, history_names));
        selections.insert(key, Arc::clone(&selection));
        selection
    }
}
