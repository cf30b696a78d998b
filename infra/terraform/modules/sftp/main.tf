# An SFTP server that the supplier pushes its files to, with the bucket behind it. It is Debian's OpenSSH, which Debian keeps and
# which renews itself; nobody logs in but the supplier, by key, from its networks, into one folder.

resource "google_compute_network" "this" {
  name                    = "sftp"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "this" {
  name                     = "sftp"
  network                  = google_compute_network.this.id
  region                   = var.region
  ip_cidr_range            = "10.91.0.0/29"
  private_ip_google_access = true
}

# A network of one's own lets nothing in but what is said here.
resource "google_compute_firewall" "supplier" {
  name                    = "sftp-supplier"
  description             = "The supplier, to the SFTP server"
  network                 = google_compute_network.this.id
  direction               = "INGRESS"
  source_ranges           = var.allowed
  target_service_accounts = [var.service_account]

  allow {
    protocol = "tcp"
    ports    = ["22"]
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA" # who was let in, and when
  }
}

# The supplier has put it down: it outlives the machine.
resource "google_compute_address" "this" {
  name         = "sftp"
  description  = "Told to the supplier"
  region       = var.region
  address_type = "EXTERNAL"
}

# The server's own keys, and files that the bucket does not have yet: they outlive the machine too.
resource "google_compute_disk" "kept" {
  name = "sftp-kept"
  zone = "${var.region}-${var.zone}"
  type = "pd-balanced"
  size = 10
}

resource "google_compute_instance" "this" {
  name                      = "sftp"
  description               = "Takes the supplier's settlement files"
  machine_type              = "e2-micro"
  zone                      = "${var.region}-${var.zone}"
  allow_stopping_for_update = true

  boot_disk {
    initialize_params {
      image = "projects/debian-cloud/global/images/family/debian-13" # looked up once; from then on it renews itself
      size  = 10
      type  = "pd-balanced"
    }
  }

  attached_disk {
    source      = google_compute_disk.kept.id
    device_name = "kept"
  }

  network_interface {
    subnetwork = google_compute_subnetwork.this.id

    access_config {
      nat_ip = google_compute_address.this.address
    }
  }

  service_account {
    email  = var.service_account
    scopes = ["cloud-platform"] # its roles say what it may
  }

  shielded_instance_config {
    enable_integrity_monitoring = true
    enable_secure_boot          = true
    enable_vtpm                 = true
  }

  # A change of it takes effect at the next start: gcloud compute instances reset sftp.
  metadata = {
    block-project-ssh-keys = "TRUE"
    enable-oslogin         = "TRUE" # no account is made from keys in the metadata
    startup-script = templatefile("${path.module}/server.sh", {
      bucket  = var.bucket
      deliver = file("${path.module}/deliver.py")
      keys    = join("\n", var.keys)
      user    = var.user
    })
  }
}
