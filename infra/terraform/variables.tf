variable "alert_emails" {
  description = "Addresses that receive alerts."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+[.][a-z]+$", address))])
    error_message = "alert_emails must hold e-mail addresses only."
  }
}

variable "archives" {
  description = "Folder of the functions' archives, NAME.zip each. Never change the path: the provider treats another path as another object."
  type        = string
  default     = "../../build"
}

variable "budget" {
  description = "Budget of a month: the billing account, and a whole amount in its currency. Messages are sent at shares of the amount; null: no budget."
  type        = object({ billing_account = string, amount = number })
  default     = null

  validation {
    condition     = var.budget == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account))
    error_message = "budget.billing_account must be the id of a billing account, such as 012345-6789AB-CDEF01."
  }

  validation {
    condition     = var.budget == null || (try(var.budget.amount, 0) >= 1 && floor(try(var.budget.amount, 0)) == try(var.budget.amount, 0))
    error_message = "budget.amount must be a whole number of 1 or more."
  }
}

variable "build_region" {
  description = "Region in which Cloud Build tests and applies; null: region. It must be the region of the repository's connection. No sale passes through it."
  type        = string
  default     = null

  validation {
    condition     = var.build_region == null || can(regex("^([a-z]+-[a-z]+[0-9]+|global)$", var.build_region))
    error_message = "build_region must be a region, such as europe-west1, or null."
  }
}

variable "cors_origins" {
  description = "Origins whose pages may call prevend and purchase from a browser."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.cors_origins : can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", origin))])
    error_message = "cors_origins must each be https://host with at most a port; * would let any page sell."
  }
}

variable "environment" {
  description = "Name of this environment: uat, staging or production."
  type        = string

  validation {
    condition     = contains(["uat", "staging", "production"], var.environment)
    error_message = "environment must be uat, staging or production."
  }
}

variable "events_retention_days" {
  description = "Days for which a wallet can read every event again, if it subscribes later or has lost events."
  type        = number
  default     = 31

  validation {
    condition     = var.events_retention_days >= 7 && var.events_retention_days <= 31
    error_message = "events_retention_days must be from 7 to 31, the most that Pub/Sub keeps."
  }
}

variable "exports_abroad" {
  description = "Exports all sales every night to a bucket in a second region, encrypted by a key of our own; retention_days is how long each export is stored. Exports hold tokens, names and numbers. null: no sale leaves the region."
  type        = object({ region = string, retention_days = optional(number, 14) })
  default     = null

  validation {
    condition     = var.exports_abroad == null || (can(regex("^[a-z]+-[a-z]+[0-9]+$", var.exports_abroad.region)) && try(var.exports_abroad.region, "") != var.region)
    error_message = "exports_abroad.region must be a region, such as europe-west1, and another than region: an export beside the database goes with it."
  }

  validation {
    condition     = var.exports_abroad == null || (try(var.exports_abroad.retention_days, 0) >= 2 && try(var.exports_abroad.retention_days, 0) <= 365)
    error_message = "exports_abroad.retention_days must be from 2, so that one whole export is always there, to 365."
  }
}

variable "firestore_database" {
  description = "Name of the database that is made first. It never changes: another name would replace the database. served_database is the database in use."
  type        = string
  default     = "(default)"
}

variable "firestore_location" {
  description = "Location of the database; null: region. Set it only if region has no Firestore."
  type        = string
  default     = null
}

variable "function_timeout_seconds" {
  description = "Time limit of a request: longer than mobilemart_timeout_seconds, shorter than vending_lease_seconds."
  type        = number
  default     = 220
}

variable "iap_audience" {
  description = "Audience of Identity-Aware Proxy's assertions for reconcile, /projects/NUMBER/...; null: no such proxy is before reconcile."
  type        = string
  default     = null

  validation {
    condition     = var.iap_audience == null || can(regex("^/projects/[0-9]+/[!-~]+$", var.iap_audience))
    error_message = "iap_audience must be null or /projects/NUMBER/..."
  }
}

variable "images" {
  description = "Images of the builds, each as REGISTRY/NAME:VERSION@sha256:DIGEST: gcloud, Terraform, and the image of the tests. `make images` finds the digests."
  type        = object({ gcloud = string, terraform = string, tests = string })

  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("^[a-z0-9.:-]+/[a-z0-9./_-]+:[A-Za-z0-9_.-]+@sha256:[0-9a-f]{64}$", image))])
    error_message = "images must each be named by a version and its digest, because what a tag names can change: make images."
  }
}

variable "instances" {
  description = "Minimum and maximum number of instances of each function."
  type = object({
    prevend   = object({ minimum = number, maximum = number })
    purchase  = object({ minimum = number, maximum = number })
    reconcile = object({ minimum = number, maximum = number })
  })

  validation {
    condition     = alltrue([for count in values(var.instances) : 0 <= count.minimum && count.minimum <= count.maximum && 1 <= count.maximum])
    error_message = "instances must have 0 <= minimum <= maximum, and a maximum of 1 or more."
  }
}

variable "logs_retention_days" {
  description = "Days for which the log is stored."
  type        = number
  default     = 30

  validation {
    condition     = var.logs_retention_days >= 1 && var.logs_retention_days <= 3650
    error_message = "logs_retention_days must be from 1 to 3650, which is Cloud Logging's limit."
  }
}

variable "metric_wait_seconds" {
  description = "Time that alerts wait, once, for a new metric: Monitoring may know the metric only minutes later."
  type        = number
  default     = 600

  validation {
    condition     = var.metric_wait_seconds >= 0 && var.metric_wait_seconds <= 1200
    error_message = "metric_wait_seconds must be from 0 to 1200: the build that applies ends after 3000."
  }
}

variable "mobilemart_api_url" {
  description = "Address of the supplier's switch; null: the environment's usual switch; live only."
  type        = string
  default     = null

  validation {
    condition     = var.mobilemart_api_url == null || can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", var.mobilemart_api_url))
    error_message = "mobilemart_api_url must be https://host with at most a port."
  }

  validation {
    condition     = var.mobilemart_api_url == null || var.mobilemart_live_integration
    error_message = "mobilemart_api_url contradicts mobilemart_live_integration = false: a simulation reaches no supplier."
  }

  # A name of at least two parts: an address in one of its many spellings (127.1, 0x7f000001) could be this machine.
  validation {
    condition = var.mobilemart_api_url == null || var.environment != "production" || (
      can(regex("^https://([a-z0-9-]+[.])+[a-z][a-z0-9-]*[.]?(:[0-9]+)?$", var.mobilemart_api_url)) &&
      !can(regex("^https://(uat|conformance)[.-]|[.]local(host|domain)[.]?(:|$)", var.mobilemart_api_url))
    )
    error_message = "mobilemart_api_url is a UAT, conformance or loopback address, or no name, which production must not sell through."
  }

  validation {
    condition     = var.mobilemart_api_url == null || var.environment == "production" || !can(regex("^https://fulcrumswitch[.]com[.]*(:|$)", var.mobilemart_api_url))
    error_message = "mobilemart_api_url is the production switch, which only production may sell through."
  }
}

variable "mobilemart_live_integration" {
  description = "true sells for money through MobileMart; false sells through the simulator. There is no default."
  type        = bool

  validation {
    condition     = var.mobilemart_live_integration || var.environment != "production"
    error_message = "mobilemart_live_integration must be true in production: simulated tokens are worth nothing."
  }
}

variable "mobilemart_secrets" {
  description = "Secret Manager ids of the supplier's OAuth credentials; required when live, and only then."
  type = object({
    client_id     = string
    client_secret = string
  })
  default = null

  validation {
    condition     = var.mobilemart_secrets != null || !var.mobilemart_live_integration
    error_message = "mobilemart_secrets is required with mobilemart_live_integration = true: live without credentials cannot sell."
  }

  validation {
    condition     = var.mobilemart_secrets == null || var.mobilemart_live_integration
    error_message = "mobilemart_secrets contradicts mobilemart_live_integration = false: a simulation has no credentials."
  }
}

variable "mobilemart_timeout_seconds" {
  description = "Time limit of one exchange with the supplier."
  type        = number
  default     = 60
}

variable "notification_channels" {
  description = "Resource names of further notification channels, such as a pager that was made by hand because it holds a key."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", name))])
    error_message = "notification_channels must be projects/PROJECT/notificationChannels/NUMBER."
  }

  validation {
    condition     = !var.mobilemart_live_integration || length(var.notification_channels) + length(var.alert_emails) > 0
    error_message = "notification_channels or alert_emails must name someone when live: a sale in doubt is owed to a person."
  }
}

variable "oidc" {
  description = "Issuer, audience and keys of the tokens of prevend's and purchase's callers. scope_claim is the claim that must hold scope. issuer_aliases are the issuer's earlier addresses, the oldest first, for ever."
  type = object({
    audience       = string
    issuer         = string
    issuer_aliases = optional(list(string), [])
    jwks_url       = string
    scope          = optional(string)
    scope_claim    = optional(string)
  })

  validation {
    condition     = startswith(var.oidc.issuer, "https://") && startswith(var.oidc.jwks_url, "https://")
    error_message = "oidc.issuer and oidc.jwks_url must be https:// addresses."
  }

  validation {
    condition     = var.oidc.audience != ""
    error_message = "oidc.audience must not be empty: tokens made for others would be accepted."
  }
}

variable "operators_group" {
  description = "E-mail of the Google group whose members may use reconcile."
  type        = string

  validation {
    condition     = can(regex("^[^@: ]+@[^@: ]+[.][a-z]+$", var.operators_group))
    error_message = "operators_group must be the e-mail of a group, without a group: prefix."
  }
}

variable "personal_data_days" {
  description = "Days for which a sale stores names, addresses, numbers and the supplier's raw answers. POPIA requires their erasure when no longer needed."
  type        = number
  default     = 400

  # Files are settled for 28 days, and the topic's archive shows each sale for 31.
  validation {
    condition     = var.personal_data_days >= 31 && var.personal_data_days <= var.retention_days
    error_message = "personal_data_days must be from 31 to retention_days."
  }
}

variable "project" {
  description = "Project id; each environment has a project of its own."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project id, not a number or a name."
  }
}

variable "region" {
  description = "Region of all resources. Johannesburg is near the callers, and stores personal data in South Africa (POPIA)."
  type        = string
  default     = "africa-south1"
}

variable "release" {
  description = "Pushes that make a plan for this environment: to branches, or to tags, that match the regular expression."
  type = object({
    branch = optional(string)
    tag    = optional(string)
  })

  validation {
    condition     = (var.release.branch == null) != (var.release.tag == null)
    error_message = "release must have either branch or tag."
  }
}

variable "repository" {
  description = "The source, as connected to Cloud Build: projects/PROJECT/locations/REGION/connections/NAME/repositories/NAME."
  type        = string

  validation {
    condition     = can(regex("^projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+$", var.repository))
    error_message = "repository must be projects/PROJECT/locations/REGION/connections/NAME/repositories/NAME."
  }
}

variable "restored_databases" {
  description = "Databases that gcloud has restored beside the first, by name, with the ids of their composite indexes, by our names: due, lookup."
  type        = map(object({ indexes = optional(map(string), {}) }))
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.restored_databases) : can(regex("^[a-z][a-z0-9-]{2,61}[a-z0-9]$", name)) && name != var.firestore_database])
    error_message = "restored_databases must be names of further databases: 4 to 63 of a-z, 0-9 and -, and not firestore_database."
  }
}

variable "retention_days" {
  description = "Days for which sales and documents are stored; then a sale becomes a tombstone that binds its key. Tax records are stored for five years."
  type        = number
  default     = 1826

  validation {
    condition     = var.retention_days >= 31 && var.retention_days <= 36525
    error_message = "retention_days must be from 31 to 36525."
  }

  validation {
    condition     = var.retention_days >= 1826 || var.environment != "production"
    error_message = "retention_days must be 1826 or more in production: the Tax Administration Act asks for five years."
  }
}

variable "runbook" {
  description = "Path or address of docs/operations.md; alerts append the section."
  type        = string
  default     = "docs/operations.md"
}

variable "scheduler_region" {
  description = "Region of Cloud Scheduler; null: region. Set it only if region has no Cloud Scheduler. The jobs carry no data."
  type        = string
  default     = null

  validation {
    condition     = var.scheduler_region == null || can(regex("^[a-z]+-[a-z]+[0-9]+$", var.scheduler_region))
    error_message = "scheduler_region must be a region, such as europe-west1, or null."
  }
}

variable "served_database" {
  description = "Database that the functions use: one of restored_databases; null: the first database."
  type        = string
  default     = null

  validation {
    condition     = var.served_database == null || contains(concat([var.firestore_database], keys(var.restored_databases)), coalesce(var.served_database, "none"))
    error_message = "served_database must be firestore_database or one of restored_databases."
  }
}

variable "settings" {
  description = "Further environment variables of the functions, by name; docs/contract.md lists them."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.settings), local.further_variables)) == 0
    error_message = "settings holds what is misspelt or has a variable of its own: ${join(", ", setsubtract(keys(var.settings), local.further_variables))}."
  }
}

variable "settlement_merchant" {
  description = "Our name in the names of settlement files, if one bucket receives several merchants' files."
  type        = string
  default     = null
}

variable "settlement_retention_days" {
  description = "Days for which a settlement file is stored. In a live environment nobody can change or delete it before; the bucket deletes it afterwards. Tax records are stored for five years."
  type        = number
  default     = 1827

  validation {
    condition     = var.settlement_retention_days == 0 || var.settlement_retention_days >= 30
    error_message = "settlement_retention_days must be 0, for files that no rule keeps or deletes, or 30 and more: settling reads the files of the last 28 days."
  }
}

variable "settlement_retention_locked" {
  description = "true makes settlement_retention_days final: nobody, not even Google, can shorten or unlock it. The bucket then stays until its last file has reached its age."
  type        = bool
  default     = false

  validation {
    condition     = !var.settlement_retention_locked || (var.mobilemart_live_integration && var.settlement_retention_days > 0)
    error_message = "settlement_retention_locked needs a retention to lock: live, with settlement_retention_days above 0."
  }
}

variable "settlement_writer" {
  description = "IAM member that delivers the settlement files into the bucket, such as serviceAccount:relay@...; may be null."
  type        = string
  default     = null

  validation {
    condition     = var.settlement_writer == null || can(regex("^(serviceAccount|group|user):[^:]+$", var.settlement_writer))
    error_message = "settlement_writer must be serviceAccount:, group: or user: and an e-mail; never allUsers."
  }
}

variable "sftp" {
  description = "SFTP server that the supplier pushes its settlement files to: the supplier's networks, public keys and login name, and the zone; null: files arrive another way."
  type = object({
    allowed = list(string)
    keys    = list(string)
    user    = optional(string, "mobilemart")
    zone    = optional(string, "a")
  })
  default = null

  validation {
    condition     = var.sftp == null || (length(try(var.sftp.allowed, [])) > 0 && alltrue([for network in try(var.sftp.allowed, []) : can(cidrhost(network, 0)) && tonumber(split("/", network)[1]) >= 24]))
    error_message = "sftp.allowed must be networks of the supplier's, /24 or smaller: the whole internet must not knock."
  }

  validation {
    condition     = var.sftp == null || (length(try(var.sftp.keys, [])) > 0 && alltrue([for key in try(var.sftp.keys, []) : can(regex("^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|rsa-sha2-(256|512)|ssh-rsa) [A-Za-z0-9+/]+=*( [A-Za-z0-9@._-]+)?$", key))]))
    error_message = "sftp.keys must be public keys, one line each, without options."
  }

  validation {
    condition     = var.sftp == null || (can(regex("^[a-z][a-z0-9-]{0,30}$", var.sftp.user)) && try(var.sftp.user, "") != "root" && can(regex("^[a-z]$", var.sftp.zone)))
    error_message = "sftp.user must be a name of a-z, 0-9 and -, and not root; sftp.zone one letter."
  }
}

variable "state_bucket" {
  description = "Bucket of this configuration's state; made by hand, before everything else."
  type        = string
}

variable "vending_lease_seconds" {
  description = "Time after which an unfinished sale counts as abandoned."
  type        = number
  default     = 240
}

variable "wallets" {
  description = "Readers of callers' events, by a short name: the caller's hash (docs/deploying.md), and an IAM member."
  type        = map(object({ caller = string, subscriber = string }))

  validation {
    condition     = alltrue([for name, wallet in var.wallets : can(regex("^[a-z][a-z0-9-]{0,30}$", name)) && !contains(["archive", "dead"], name) && !startswith(name, "dead-")])
    error_message = "wallets must have short names of a-z, 0-9 and -, other than archive and dead."
  }

  validation {
    condition     = alltrue([for wallet in values(var.wallets) : can(regex("^[0-9a-f]{32}$", wallet.caller)) && can(regex("^(serviceAccount|group|user):[^:]+$", wallet.subscriber))])
    error_message = "wallets must each have a caller's hash, 32 of 0-9 and a-f, and one serviceAccount:, group: or user: as its subscriber."
  }

  validation {
    condition     = length(distinct([for wallet in values(var.wallets) : wallet.caller])) == length(var.wallets)
    error_message = "wallets must each have a caller of its own."
  }
}
