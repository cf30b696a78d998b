variable "allowed" {
  description = "Networks that may connect, as CIDR."
  type        = list(string)
}

variable "bucket" {
  description = "Name of the bucket that receives the files."
  type        = string
}

variable "keys" {
  description = "Public keys that may log in, as lines of authorized_keys."
  type        = list(string)
}

variable "region" {
  description = "Region of the server."
  type        = string
}

variable "service_account" {
  description = "E-mail of the account that the machine runs as."
  type        = string
}

variable "user" {
  description = "Login name of the supplier."
  type        = string
}

variable "zone" {
  description = "Letter of the zone in the region."
  type        = string
}
