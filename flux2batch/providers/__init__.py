"""Providers: the services and engines that make pictures, behind one small contract."""
