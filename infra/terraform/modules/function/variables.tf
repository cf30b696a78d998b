variable "archive" {
  description = "Path of the function's archive."
  type        = string
}

variable "archives_bucket" {
  description = "Name of the bucket of the archives."
  type        = string
}

variable "available_memory" {
  description = "Memory of one instance in binary units, such as 512Mi: 512M is 24 MiB less."
  type        = string

  validation {
    condition     = can(regex("^[0-9]+[MG]i$", var.available_memory))
    error_message = "available_memory must be in Mi or Gi, as docs/scaling.md counts."
  }
}

variable "build_service_account" {
  description = "Full name of the account that builds the image."
  type        = string
}

variable "concurrency" {
  description = "Maximum number of requests in one instance at a time."
  type        = number

  validation {
    condition     = 1 <= var.concurrency && var.concurrency <= 1000
    error_message = "concurrency must be from 1 to 1000, which is Cloud Run's limit."
  }
}

variable "description" {
  description = "The function's work, in a sentence."
  type        = string
}

variable "docker_repository" {
  description = "Full name of the repository of the images."
  type        = string
}

variable "environment_variables" {
  description = "Environment variables of the function; without nulls."
  type        = map(string)
}

variable "instances" {
  description = "Minimum and maximum number of instances."
  type        = object({ minimum = number, maximum = number })
}

variable "invokers" {
  description = "IAM members that may call the function, by a short name."
  type        = map(string)
}

variable "lease_seconds" {
  description = "Time after which an unfinished sale counts as abandoned."
  type        = number
}

variable "location" {
  description = "Region of the function."
  type        = string
}

variable "name" {
  description = "Name of the function, of its entry point, and of its Cloud Run service."
  type        = string
}

variable "service_account" {
  description = "E-mail of the account that the function runs as."
  type        = string
}

variable "supplier_timeout_seconds" {
  description = "Time limit of one exchange with the supplier."
  type        = number
}

variable "timeout_seconds" {
  description = "Time limit of a request."
  type        = number

  validation {
    condition     = 1 <= var.timeout_seconds && var.timeout_seconds <= 3600
    error_message = "timeout_seconds must be from 1 to 3600, which is Cloud Run's limit."
  }
}

variable "viewers" {
  description = "IAM members that may read the service's description, by a short name."
  type        = map(string)
}
