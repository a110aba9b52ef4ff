"""The packaged templates of notify: data, found through this package and never imported."""
