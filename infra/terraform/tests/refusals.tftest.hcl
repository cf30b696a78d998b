# What the variables refuse. Run with the values of production, from which each run departs in one thing:
# terraform test -var-file=environments/production.tfvars

run "production_as_it_is" {
  command = plan

  assert {
    condition     = output.mode == "live"
    error_message = "production must be live."
  }
  assert {
    condition     = length(output.secrets) == 2
    error_message = "production must have the supplier's two secrets."
  }
}

run "production_is_never_simulated" {
  command = plan

  variables {
    mobilemart_live_integration = false
    mobilemart_secrets          = null
  }

  expect_failures = [var.mobilemart_live_integration]
}

run "production_does_not_sell_through_the_uat_switch" {
  command = plan

  variables {
    mobilemart_api_url = "https://uat.fulcrumswitch.com"
  }

  expect_failures = [var.mobilemart_api_url]
}

run "production_does_not_sell_through_loopback" {
  command = plan

  variables {
    mobilemart_api_url = "https://127.0.0.1:8443"
  }

  expect_failures = [var.mobilemart_api_url]
}

run "production_does_not_sell_through_loopback_in_another_spelling" {
  command = plan

  variables {
    mobilemart_api_url = "https://127.1"
  }

  expect_failures = [var.mobilemart_api_url]
}

run "production_may_name_its_switch" {
  command = plan

  variables {
    mobilemart_api_url = "https://switch.example.com:8443"
  }
}

run "only_production_sells_through_the_production_switch" {
  command = plan

  variables {
    environment        = "staging"
    mobilemart_api_url = "https://fulcrumswitch.com"
  }

  expect_failures = [var.mobilemart_api_url]
}

run "nothing_is_sold_in_the_clear" {
  command = plan

  variables {
    mobilemart_api_url = "http://fulcrumswitch.com"
  }

  expect_failures = [var.mobilemart_api_url]
}

run "live_needs_its_credentials" {
  command = plan

  variables {
    mobilemart_secrets = null
  }

  expect_failures = [var.mobilemart_secrets]
}

run "a_simulation_has_no_credentials" {
  command = plan

  variables {
    environment                 = "uat"
    mobilemart_live_integration = false
  }

  expect_failures = [var.mobilemart_secrets]
}

run "a_simulation_is_a_plan_without_secrets" {
  command = plan

  variables {
    environment                 = "uat"
    mobilemart_live_integration = false
    mobilemart_secrets          = null
  }

  assert {
    condition     = output.mode == "simulated" && length(output.secrets) == 0
    error_message = "a simulation must have no secret."
  }
}

run "an_environment_is_one_of_three" {
  command = plan

  variables {
    environment = "prod"
  }

  expect_failures = [var.environment]
}

run "live_alerts_reach_somebody" {
  command = plan

  variables {
    alert_emails = []
  }

  expect_failures = [var.notification_channels]
}

run "no_page_of_any_origin_may_sell" {
  command = plan

  variables {
    cors_origins = ["*"]
  }

  expect_failures = [var.cors_origins]
}

run "settlement_files_come_from_somebody_known" {
  command = plan

  variables {
    settlement_writer = "allUsers"
  }

  expect_failures = [var.settlement_writer]
}
