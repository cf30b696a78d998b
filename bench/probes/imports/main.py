"""The probe with all that a first sale of ours imports: what is left of a start when the libraries are the same."""

import zoneinfo

import aiohttp
import cryptography.hazmat.primitives.asymmetric.rsa
import google.cloud.secretmanager_v1
import google_crc32c
import jwt
import msgspec
from pydantic import BaseModel

from bench.probes.raw.main import sell

__all__ = ["BaseModel", "aiohttp", "cryptography", "google", "google_crc32c", "jwt", "msgspec", "sell", "zoneinfo"]
