variable "keep_data" {
  description = "true makes sales recoverable: point-in-time recovery, daily backups, no deletion."
  type        = bool
}

variable "location" {
  description = "Location of the database."
  type        = string
}

variable "name" {
  description = "Name of the database."
  type        = string
}
