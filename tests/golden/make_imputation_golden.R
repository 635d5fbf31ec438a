# Reference numbers from R for Rubin's rules. Run from anywhere:  Rscript make_imputation_golden.R
# Writes imputation.csv beside itself. README.md says what is what.
suppressPackageStartupMessages(library(mice))
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])))
rows <- list()
add <- function(case, term, quantity, value) rows[[length(rows) + 1L]] <<- data.frame(case = case, term = term, quantity = quantity, value = sprintf("%.15g", as.numeric(value)))
of_fits <- function(case, fits) {                                                   # mice's own pool of fitted models
  p <- pool(as.mira(fits))$pooled
  for (i in seq_len(nrow(p))) { term <- as.character(p$term[i]); at <- match(term, names(coef(fits[[1]])))
    for (k in seq_along(fits)) { add(case, term, paste0("estimate_", k), coef(fits[[k]])[at]); add(case, term, paste0("std_error_", k), sqrt(vcov(fits[[k]])[at, at])) }
    for (q in c("estimate", "ubar", "b", "t", "dfcom", "df", "riv", "lambda", "fmi")) add(case, term, q, p[i, q])
    s <- summary(pool(as.mira(fits)), conf.int = TRUE); for (q in c("2.5 %", "97.5 %", "p.value")) add(case, term, q, s[i, q]) } }
imp <- mice(nhanes, m = 5, seed = 23109, printFlag = FALSE)
fits <- lapply(1:5, function(k) lm(chl ~ age + bmi, data = complete(imp, k)))
of_fits("nhanes", fits)
imp <- mice(airquality[, 1:4], m = 8, seed = 1, printFlag = FALSE)
fits <- lapply(1:8, function(k) lm(Ozone ~ Solar.R + Wind + Temp, data = complete(imp, k)))
of_fits("airquality", fits)
# numbers alone, with the degrees of freedom of the complete data infinite
q <- c(1.20, 0.90, 1.45, 1.10, 1.02); u <- c(0.04, 0.05, 0.045, 0.038, 0.052)
p <- pool.scalar(q, u, n = Inf, k = 1)
for (k in 1:5) { add("scalar", "q", paste0("estimate_", k), q[k]); add("scalar", "q", paste0("std_error_", k), sqrt(u[k])) }
for (n in c("qbar", "ubar", "b", "t", "df", "r", "fmi")) add("scalar", "q", c(qbar = "estimate", ubar = "ubar", b = "b", t = "t", df = "df", r = "riv", fmi = "fmi")[[n]], p[[n]])
add("scalar", "q", "dfcom", Inf)
# imputation itself: a number and a category with missing values, many times over, so that what is left of chance is small
d <- data.frame(late = as.integer(airquality$Month >= 8), wind = airquality$Wind, temp = airquality$Temp, ozone = airquality$Ozone, solar = airquality$Solar.R)
d$heat <- cut(d$temp + rep(c(-3, 0, 3), length.out = nrow(d)), c(0, 78, 120), labels = c("cool", "hot"))
d$heat[seq(4, nrow(d), by = 4)] <- NA
imp <- mice(d, m = 300, maxit = 10, seed = 7, printFlag = FALSE)                    # pmm for numbers, logreg for the category
add("mice", "method", "pmm", sum(imp$method == "pmm")); add("mice", "method", "logreg", sum(imp$method == "logreg"))
for (f in c("ozone ~ wind + temp + solar + late", "wind ~ heat + late")) { p <- summary(pool(with(imp, lm(as.formula(f)))))
  for (i in seq_len(nrow(p))) { add("mice", paste(sub(" .*", "", f), p$term[i]), "estimate", p$estimate[i]); add("mice", paste(sub(" .*", "", f), p$term[i]), "std_error", p$std.error[i]) } }
d$heat <- as.character(d$heat); d$heat[is.na(d$heat)] <- ""
write.csv(d, file.path(here, "imputation_data.csv"), row.names = FALSE, quote = FALSE, na = "", eol = "\n")
write.csv(do.call(rbind, rows), file.path(here, "imputation.csv"), row.names = FALSE, quote = FALSE, eol = "\n")
