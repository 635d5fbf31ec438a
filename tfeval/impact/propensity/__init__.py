"""The probability of being treated: logistic regression, classifiers, cross-fitting, support."""
