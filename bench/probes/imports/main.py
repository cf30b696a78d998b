"""The probe with the imports of our first sale: it shows the rest of a start when the libraries are the same."""

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
