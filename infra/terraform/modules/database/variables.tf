variable "keep_data" {
  description = "Whether sales must be recoverable: point-in-time recovery, daily backups, no deletion."
  type        = bool
}

variable "location" {
  description = "Where the database lies."
  type        = string
}

variable "name" {
  description = "Name of the database."
  type        = string
}
