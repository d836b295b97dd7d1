"""Tenants as schemas, roles and settings of one database."""
