"""`make openapi`."""

from local.openapi.description import main

main()
