//! Word lists. All people and organisations are invented; mail and web domains end in `.example` (RFC 2606).

/// A name as people write it and as it appears in addresses.
pub type Name = (&'static str, &'static str);

/// Given names from many places, some not in Latin script.
pub const FIRST_NAMES: &[Name] = &[
    ("Anna", "anna"),
    ("Ben", "ben"),
    ("Carla", "carla"),
    ("David", "david"),
    ("Elif", "elif"),
    ("Fatima", "fatima"),
    ("George", "george"),
    ("Hannah", "hannah"),
    ("Ivan", "ivan"),
    ("Julia", "julia"),
    ("Kenji", "kenji"),
    ("Laura", "laura"),
    ("Mateo", "mateo"),
    ("Nora", "nora"),
    ("Oliver", "oliver"),
    ("Priya", "priya"),
    ("Quentin", "quentin"),
    ("Rosa", "rosa"),
    ("Samuel", "samuel"),
    ("Teresa", "teresa"),
    ("Umar", "umar"),
    ("Valentina", "valentina"),
    ("William", "william"),
    ("Ximena", "ximena"),
    ("Yusuf", "yusuf"),
    ("Zoe", "zoe"),
    ("José", "jose"),
    ("François", "francois"),
    ("Jürgen", "juergen"),
    ("Björn", "bjoern"),
    ("Zoë", "zoe"),
    ("Søren", "soeren"),
    ("Łukasz", "lukasz"),
    ("Siân", "sian"),
    ("Renée", "renee"),
    ("Ángel", "angel"),
    ("Иван", "ivan"),
    ("Ольга", "olga"),
    ("Дмитрий", "dmitri"),
    ("明", "ming"),
    ("美咲", "misaki"),
    ("太郎", "taro"),
    ("지훈", "jihun"),
    ("محمد", "mohammed"),
    ("ليلى", "layla"),
    ("נועה", "noa"),
    ("Νίκος", "nikos"),
    ("आरव", "aarav"),
    ("Thị Mai", "thimai"),
    ("Anne-Marie", "annemarie"),
    ("Grace", "grace"),
    ("Henry", "henry"),
    ("Isabella", "isabella"),
    ("Jack", "jack"),
    ("Kate", "kate"),
    ("Liam", "liam"),
    ("Mia", "mia"),
    ("Noah", "noah"),
    ("Olivia", "olivia"),
    ("Peter", "peter"),
    ("Rachel", "rachel"),
    ("Sofia", "sofia"),
    ("Thomas", "thomas"),
    ("Victor", "victor"),
];

/// Family names from many places, some not in Latin script.
pub const LAST_NAMES: &[Name] = &[
    ("Smith", "smith"),
    ("Jones", "jones"),
    ("Taylor", "taylor"),
    ("Brown", "brown"),
    ("Williams", "williams"),
    ("Johnson", "johnson"),
    ("Davies", "davies"),
    ("Evans", "evans"),
    ("Wilson", "wilson"),
    ("Walker", "walker"),
    ("O'Connor", "oconnor"),
    ("O’Brien", "obrien"),
    ("Müller", "mueller"),
    ("Schröder", "schroeder"),
    ("Weiß", "weiss"),
    ("Schmidt", "schmidt"),
    ("Fischer", "fischer"),
    ("García", "garcia"),
    ("Núñez", "nunez"),
    ("Fernández", "fernandez"),
    ("López", "lopez"),
    ("Silva", "silva"),
    ("Conceição", "conceicao"),
    ("Rossi", "rossi"),
    ("Ferrari", "ferrari"),
    ("D’Angelo", "dangelo"),
    ("Dupont", "dupont"),
    ("Lefèvre", "lefevre"),
    ("Moreau", "moreau"),
    ("de la Cruz", "delacruz"),
    ("van der Berg", "vanderberg"),
    ("Jansen", "jansen"),
    ("Nguyễn", "nguyen"),
    ("Trần", "tran"),
    ("Kowalski", "kowalski"),
    ("Wójcik", "wojcik"),
    ("Nowak", "nowak"),
    ("Novák", "novak"),
    ("Šťastný", "stastny"),
    ("Horváth", "horvath"),
    ("Petrov", "petrov"),
    ("Иванова", "ivanova"),
    ("Соколов", "sokolov"),
    ("王", "wang"),
    ("李", "li"),
    ("佐藤", "sato"),
    ("鈴木", "suzuki"),
    ("김", "kim"),
    ("Åkesson", "akesson"),
    ("Lindström", "lindstroem"),
    ("Hansen", "hansen"),
    ("Nyström", "nystroem"),
    ("Yılmaz", "yilmaz"),
    ("Demir", "demir"),
    ("Patel", "patel"),
    ("Sharma", "sharma"),
    ("Khan", "khan"),
    ("الهاشمي", "alhashimi"),
    ("כהן", "cohen"),
    ("Παπαδόπουλος", "papadopoulos"),
    ("Okafor", "okafor"),
    ("Mensah", "mensah"),
    ("Dlamini", "dlamini"),
    ("Haddad", "haddad"),
];

/// First part of an organisation's name.
pub const COMPANY_FIRST: &[Name] = &[
    ("Northwind", "northwind"),
    ("Bluepeak", "bluepeak"),
    ("Silverline", "silverline"),
    ("Ironbridge", "ironbridge"),
    ("Sunfield", "sunfield"),
    ("Greenhaven", "greenhaven"),
    ("Redstone", "redstone"),
    ("Oakmont", "oakmont"),
    ("Nordlicht", "nordlicht"),
    ("Rheintal", "rheintal"),
    ("Grünwald", "gruenwald"),
    ("Côte d’Azur", "cotedazur"),
    ("Étoile", "etoile"),
    ("Montaña", "montana"),
    ("São Bento", "saobento"),
    ("Ålesund", "alesund"),
    ("Øresund", "oeresund"),
    ("Sakura", "sakura"),
    ("東海", "tokai"),
    ("Kestrel", "kestrel"),
    ("Larkspur", "larkspur"),
    ("Meridian", "meridian"),
    ("Horizon", "horizon"),
    ("Atlas", "atlas"),
    ("Pinnacle", "pinnacle"),
    ("Harbour", "harbour"),
    ("Summit", "summit"),
    ("Cedar", "cedar"),
    ("Falcon", "falcon"),
    ("Granite", "granite"),
    ("Juniper", "juniper"),
    ("Lighthouse", "lighthouse"),
];

/// Second part of an organisation's name.
pub const COMPANY_SECOND: &[Name] = &[
    ("Robotics", "robotics"),
    ("Logistics", "logistics"),
    ("Foods", "foods"),
    ("Analytics", "analytics"),
    ("Textiles", "textiles"),
    ("Energy", "energy"),
    ("Pharma", "pharma"),
    ("Media", "media"),
    ("Software", "software"),
    ("Instruments", "instruments"),
    ("Capital", "capital"),
    ("Construction", "construction"),
    ("Travel", "travel"),
    ("Furniture", "furniture"),
    ("Chemicals", "chemicals"),
    ("Automotive", "automotive"),
    ("Health", "health"),
    ("Design & Print", "design-print"),
    ("Learning", "learning"),
    ("Optics", "optics"),
    ("Aerospace", "aerospace"),
    ("Packaging", "packaging"),
    ("Brewery", "brewery"),
    ("Security", "security"),
];

/// Legal form that ends an organisation's name; some have none.
pub const COMPANY_FORMS: &[&str] = &[
    "",
    "",
    "",
    " Inc.",
    " LLC",
    " Ltd",
    " GmbH",
    " AG",
    " S.A.",
    " S.r.l.",
    " AB",
    " Oy",
    " B.V.",
    " 株式会社",
];

/// A place people and organisations are in.
pub struct Place {
    /// City in local spelling.
    pub city: &'static str,
    /// State or province; empty where addresses have none.
    pub region: &'static str,
    /// Country in English.
    pub country: &'static str,
    /// ISO 3166-1 code.
    pub code: &'static str,
    /// International dialling prefix with area code.
    pub dial: &'static str,
    /// First digits of local postal codes.
    pub zip: &'static str,
    /// IANA time zone.
    pub zone: &'static str,
}

/// Shortens the table below.
const fn place(
    city: &'static str,
    region: &'static str,
    country: (&'static str, &'static str),
    dial: &'static str,
    zip: &'static str,
    zone: &'static str,
) -> Place {
    Place { city, region, country: country.0, code: country.1, dial, zip, zone }
}

/// Where people and organisations are.
pub const PLACES: &[Place] = &[
    place("New York", "New York", ("United States", "US"), "+1 212", "100", "America/New_York"),
    place("Boston", "Massachusetts", ("United States", "US"), "+1 617", "021", "America/New_York"),
    place("Chicago", "Illinois", ("United States", "US"), "+1 312", "606", "America/Chicago"),
    place("Austin", "Texas", ("United States", "US"), "+1 512", "787", "America/Chicago"),
    place("Denver", "Colorado", ("United States", "US"), "+1 303", "802", "America/Denver"),
    place("Seattle", "Washington", ("United States", "US"), "+1 206", "981", "America/Los_Angeles"),
    place("San José", "California", ("United States", "US"), "+1 408", "951", "America/Los_Angeles"),
    place("Montréal", "Québec", ("Canada", "CA"), "+1 514", "H2X", "America/Toronto"),
    place("Toronto", "Ontario", ("Canada", "CA"), "+1 416", "M5V", "America/Toronto"),
    place("London", "", ("United Kingdom", "GB"), "+44 20", "EC1", "Europe/London"),
    place("Manchester", "", ("United Kingdom", "GB"), "+44 161", "M1", "Europe/London"),
    place("Dublin", "", ("Ireland", "IE"), "+353 1", "D02", "Europe/Dublin"),
    place("Berlin", "", ("Germany", "DE"), "+49 30", "101", "Europe/Berlin"),
    place("München", "Bayern", ("Germany", "DE"), "+49 89", "803", "Europe/Berlin"),
    place("Köln", "Nordrhein-Westfalen", ("Germany", "DE"), "+49 221", "506", "Europe/Berlin"),
    place("Zürich", "", ("Switzerland", "CH"), "+41 44", "80", "Europe/Zurich"),
    place("Paris", "Île-de-France", ("France", "FR"), "+33 1", "750", "Europe/Paris"),
    place("Málaga", "Andalucía", ("Spain", "ES"), "+34 952", "290", "Europe/Madrid"),
    place("Łódź", "", ("Poland", "PL"), "+48 42", "90-", "Europe/Warsaw"),
    place("Göteborg", "", ("Sweden", "SE"), "+46 31", "411", "Europe/Stockholm"),
    place("København", "", ("Denmark", "DK"), "+45 33", "15", "Europe/Copenhagen"),
    place("São Paulo", "SP", ("Brazil", "BR"), "+55 11", "013", "America/Sao_Paulo"),
    place("東京", "", ("Japan", "JP"), "+81 3", "100-", "Asia/Tokyo"),
    place("Bengaluru", "Karnataka", ("India", "IN"), "+91 80", "560", "Asia/Kolkata"),
    place("Sydney", "New South Wales", ("Australia", "AU"), "+61 2", "20", "Australia/Sydney"),
    place("Cape Town", "Western Cape", ("South Africa", "ZA"), "+27 21", "80", "Africa/Johannesburg"),
];

/// Street names.
pub const STREETS: &[&str] = &[
    "Main Street",
    "High Street",
    "Station Road",
    "Park Avenue",
    "Bahnhofstraße",
    "Rue de l’Église",
    "Calle Mayor",
    "Harbour Lane",
    "Mill Road",
    "Lindenallee",
    "Via Roma",
    "Kungsgatan",
    "Elm Street",
    "Victoria Road",
];

/// What people do.
pub const JOB_TITLES: &[&str] = &[
    "Head of Operations",
    "Software Engineer",
    "Office Manager",
    "Sales Director",
    "Marketing Manager",
    "CEO",
    "Chief Financial Officer",
    "Purchasing Agent",
    "Product Manager",
    "Data Analyst",
    "Customer Success Manager",
    "IT Administrator",
    "Consultant",
    "HR Business Partner",
    "Plant Manager",
    "Founder & CEO",
    "Procurement Lead",
    "Geschäftsführer",
    "Directrice commerciale",
    "Ingeniero de ventas",
    "Account Executive",
    "VP Engineering",
];

/// What deals are about.
pub const DEAL_SUBJECTS: &[&str] = &[
    "Annual subscription",
    "Platform rollout",
    "Pilot project",
    "Renewal",
    "Upgrade",
    "Extra seats",
    "Support contract",
    "Hardware refresh",
    "Migration",
    "Training package",
    "Consulting days",
    "Data integration",
];

/// What tickets are about.
pub const TICKET_SUBJECTS: &[&str] = &[
    "Cannot log in",
    "Invoice is wrong",
    "Delivery is late",
    "Question about the contract",
    "Feature request",
    "Error when exporting",
    "Change of address",
    "Password reset does not arrive",
    "Slow since the update",
];

/// Texts by theme, for `text(theme)` rules.
pub const THEMES: &[(&str, &[&str])] = &[
    ("salutation", &["Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx."]),
    (
        "channel",
        &[
            "INTEGRATION",
            "IMPORT",
            "CRM_UI",
            "Facebook",
            "Google",
            "LinkedIn",
            "newsletter",
            "partners.example",
        ],
    ),
    (
        "campaign",
        &[
            "Spring launch",
            "Webinar series 4",
            "Product update",
            "Customer stories",
            "Trade fair follow-up",
            "12345",
        ],
    ),
    (
        "form",
        &[
            "Contact us: Website",
            "Newsletter sign-up: Footer",
            "Demo request: Pricing page",
            "Whitepaper: Download",
        ],
    ),
    (
        "note",
        &[
            "Asked for a quote, prefers to be called in the morning.",
            "Interested in the larger package; the budget is decided next quarter.",
            "Met at the trade fair. Wants references from the same industry.",
            "Currently with a competitor, contract ends in spring.",
            "Needs an answer about data protection before going on.",
        ],
    ),
    (
        "company",
        &[
            "Family-owned maker of precision parts with customers on four continents.",
            "Plans, builds and runs warehouses for online shops.",
            "Offers software that keeps clinics and laboratories in step.",
            "Regional supplier of renewable heat and power since the nineties.",
            "Trains technicians and certifies workshops across Europe.",
        ],
    ),
    (
        "request",
        &[
            "Since this morning the page stays empty. Please have a look.",
            "The last invoice lists a position we did not order.",
            "When will the order arrive? It was promised for last week.",
            "Could you add a column for the cost centre to the export?",
        ],
    ),
    ("zone", &["America/New_York", "America/Chicago", "Europe/London", "Europe/Berlin", "Asia/Tokyo"]),
    ("technology", &["nginx;react", "google_analytics;wordpress", "apache", "shopify;stripe", "cloudflare"]),
    (
        "step",
        &["Send the contract", "Call the buyer", "Prepare the demo", "Wait for legal", "Collect references"],
    ),
    (
        "page",
        &[
            "https://www.northwind.example/pricing",
            "https://www.northwind.example/blog/start",
            "https://www.northwind.example/",
        ],
    ),
    ("loss", &["Price", "Chose a competitor", "No budget", "Project stopped", "No answer any more"]),
    ("win", &["Best fit", "Good references", "Fast delivery", "Existing customer"]),
];

/// Words for invented filler sentences.
pub const FILLER: &[&str] = &[
    "account", "after", "agreed", "annual", "before", "budget", "check", "contract", "customer", "delivery",
    "details", "during", "export", "follow", "general", "import", "interest", "later", "meeting", "monthly",
    "needs", "offer", "open", "partner", "plan", "prefers", "project", "quarter", "renewal", "request",
    "review", "sent", "shared", "status", "support", "team", "terms", "update", "visit", "weekly",
];

/// The texts of a theme.
pub fn theme(name: &str) -> Option<&'static [&'static str]> {
    THEMES.iter().find(|(theme, _)| *theme == name).map(|&(_, texts)| texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Generated text is copied into JSON without escaping.
    #[test]
    fn no_word_needs_escaping_in_json() {
        let names = [FIRST_NAMES, LAST_NAMES, COMPANY_FIRST, COMPANY_SECOND].concat();
        let places =
            PLACES.iter().flat_map(|place| [place.city, place.region, place.country, place.dial, place.zip]);
        let lists = [COMPANY_FORMS, STREETS, JOB_TITLES, DEAL_SUBJECTS, TICKET_SUBJECTS, FILLER].concat();
        let themes = THEMES.iter().flat_map(|(_, texts)| texts.iter().copied());
        let all =
            names.iter().flat_map(|&(name, slug)| [name, slug]).chain(places).chain(lists).chain(themes);
        for word in all {
            assert_eq!(serde_json::to_string(word).unwrap(), format!("\"{word}\""));
        }
    }
}
